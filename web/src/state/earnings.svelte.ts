/** Money that work has brought is told at once, with the way to its ledger line. */
import { toast } from '../lib/toast.svelte';
import { language, t } from '../i18n/index.svelte';
import { formatMoney } from '../lib/money';
import { navigate } from '../routes';
import { live } from './live.svelte';
import { session } from './session.svelte';

export function watchEarnings(): void {
  // The session applies the news in its own listener, registered first: keep what it was before.
  const before = new Map<string, number>();
  $effect(() => {
    for (const one of session.accounts) if (!before.has(one.currency)) remember(one.account, one.currency, one.available + one.held);
  });
  const remember = (kind: string, currency: string, total: number) => {
    if (kind === 'earnings') before.set(currency, total);
  };
  live.onBalance((account) => {
    if (account.account !== 'earnings') return;
    // With what is held: money that comes back from a withdrawal was earned before.
    const total = account.available + account.held;
    const earned = total - (before.get(account.currency) ?? total);
    before.set(account.currency, total);
    if (earned <= 0) return;
    toast.success(t().common.earned(formatMoney(earned, account.currency, language.current)), {
      action: { label: t().nav.balance, onClick: () => void navigate('/balance', { search: { account: 'earnings' } }) },
    });
  });
}
