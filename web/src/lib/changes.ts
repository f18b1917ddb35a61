/** What an edit changed, in words: `Price: 1,500 → 1,400`. */
import type { Changes } from '../board/row.svelte';
import { language, t } from '../i18n/index.svelte';
import { categories } from '../state/categories.svelte';
import { formatMoney } from './money';

export type Change = { name: string; from: string; to: string };

const SUMS = ['price', 'payout', 'commission'];

/** Known fields in a fixed order; whatever else the server tells beside them is left out. */
export function tellChanges(changes: Record<string, unknown>, currency: string): Change[] {
  const { field } = t().changes;
  return Object.keys(field).flatMap((name) => {
    const change = changes[name] as Changes[string] | undefined;
    if (typeof change !== 'object' || change === null || !('to' in change)) return [];
    return [{ name: field[name]!, ...both(name, change, currency) }];
  });
}

function both(name: string, { from, to }: Changes[string], currency: string): Pick<Change, 'from' | 'to'> {
  const { none, textChanged } = t().changes;
  if (SUMS.includes(name)) {
    const money = (minor: unknown) => formatMoney(Number(minor), currency, language.current, 'short');
    return { from: money(from), to: money(to) };
  }
  // Two long texts side by side help nobody: the page shows the new one.
  if (name === 'description') return { from: '', to: textChanged };
  const word = (value: unknown) => (name === 'category' ? categories.name(value as string | null) : String(value ?? '')) || none;
  return { from: word(from), to: word(to) };
}

/** In one line, as far as a taker has to know it. */
export function changesLine(changes: Changes, currency: string): string {
  const { commission: _, ...rest } = changes;
  return tellChanges(rest, currency).map(({ name, from, to }) => (from ? `${name}: ${from} → ${to}` : `${name}: ${to}`)).join(', ');
}
