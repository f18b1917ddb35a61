/** What the page does around a press of Accept: say the result, once, to eyes and ears. */
import { changesLine } from '../lib/changes';
import { toast } from '../lib/toast.svelte';
import { language, t } from '../i18n/index.svelte';
import { navigate } from '../routes';
import { announcer } from '../state/announcer.svelte';
import { clock } from '../state/clock.svelte';
import { session } from '../state/session.svelte';
import { acceptAndFinish, acceptOrder } from './accept';
import { resultLine } from './result';
import type { Row } from './row.svelte';

export async function press(row: Row): Promise<void> {
  if (row.busy || row.attempt.phase === 'won' || !session.me) return;
  const take = row.order.acceptance === 'auto' ? acceptAndFinish : acceptOrder;
  const outcome = await take(row, { meId: session.me.user.id, nowMs: () => clock.exact() });
  const { title } = row.order;
  if (outcome.phase === 'won') {
    announcer.now(t().board.announceWon(title));
    toast.success(outcome.finished ? t().board.doneToast : t().board.wonToast, {
      description: title,
      action: { label: t().board.openContract, onClick: () => void navigate('/orders/:id', { params: { id: String(row.id) } }) },
    });
    return;
  }
  const line = outcome.phase === 'changed' ? t().board.changed(changesLine(outcome.changes, row.order.currency)) : resultLine(outcome, t(), language.current);
  if (line) announcer.now(t().board.announceLost(title, line));
}
