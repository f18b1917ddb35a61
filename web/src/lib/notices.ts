/** A notification in words, and where it leads. */
import type { Notice } from '../hub/protocol';
import { language } from '../i18n/index.svelte';
import { noticesText } from '../i18n/notices';
import { categories } from '../state/categories.svelte';
import { formatMoney } from './money';

export type Told = { text: string; more: string; href: string };

/** Whom an event finds: the settings list them so. */
export const GROUPS = {
  executor: ['order_new', 'chosen', 'declined', 'work_confirmed', 'work_rejected', 'payout_approved', 'payout_rejected'],
  customer: ['applicant', 'taken', 'work_submitted', 'debited', 'topup'],
  both: ['arbitrated', 'password_changed'],
} as const;

export function tell({ event, facts }: Notice): Told {
  const word = (name: string) => (typeof facts[name] === 'string' ? facts[name] : '');
  const by = facts['by'] as { name?: unknown } | undefined;
  // What an applicant asks is a price; of a new order it is its payout that matters.
  const minor = facts['amount'] ?? (event === 'applicant' ? facts['price'] : facts['payout']) ?? facts['price'];
  const words = {
    title: word('title'),
    sum: typeof minor === 'number' ? formatMoney(minor, word('currency') || 'RUB', language.current) : '',
    by: typeof by?.name === 'string' ? by.name : '',
    category: categories.name(word('category') || null),
    verdict: word('verdict'),
  };
  const say = noticesText().says[event];
  return { text: say ? say(words) : noticesText().unknown, more: word('comment'), href: placeOf(event, facts) };
}

function placeOf(event: string, facts: Record<string, unknown>): string {
  if (typeof facts['order_id'] === 'number') return `/orders/${facts['order_id']}`;
  if (event.startsWith('payout_')) return '/payouts';
  if (event === 'topup') return '/balance?account=wallet';
  if (event === 'password_changed') return '/settings/security';
  return '/notifications';
}
