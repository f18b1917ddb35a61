/** Which entries of an account are shown, as the page's address and as the API's query. */
import type { AccountKind } from '../hub/protocol';

/** Days are the reader's own, written 2026-11-20; '' leaves that side open. */
export type Filter = { account: AccountKind; kind: string; from: string; to: string };

/** The kinds of entries that an account can have, the usual ones first. */
export const KINDS: Record<AccountKind, string[]> = {
  wallet: ['topup', 'hold', 'adjust', 'capture', 'release', 'transfer', 'sweep', 'withdrawal', 'credit', 'debit'],
  earnings: ['payout', 'hold', 'withdrawal', 'release', 'sweep', 'transfer', 'credit', 'debit'],
};

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;

/** Midnight at which the day begins (or, with `after`, the one at which it is over) where the reader is; `null` for no day. */
export function midnight(day: string, after: 0 | 1 = 0): Date | null {
  const match = DAY.exec(day);
  if (!match) return null;
  const [year, month, date] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const begin = new Date(year, month - 1, date);
  // The calendar and not 24 hours: some days are shorter.
  return begin.getMonth() === month - 1 ? new Date(year, month - 1, date + after) : null;
}

export function queryOf(filter: Filter, currency = 'RUB'): URLSearchParams {
  const query = new URLSearchParams({ currency });
  const from = midnight(filter.from);
  const to = midnight(filter.to, 1);
  if (filter.kind !== '') query.set('kind', filter.kind);
  if (from) query.set('from', from.toISOString());
  if (to) query.set('to', to.toISOString());
  return query;
}

export function isFiltered(filter: Filter): boolean {
  return filter.kind !== '' || midnight(filter.from) !== null || midnight(filter.to) !== null;
}
