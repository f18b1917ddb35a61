/**
 * What of the board somebody wants to see: as the page's address (sums in roubles, as people write them), as the API's query (minor
 * units), and as a rule for the orders that are live in the page. Words are looked for in the line that is shown; the server also
 * looks into descriptions and knows other forms of a word.
 */
import type { BoardOrder } from '../hub/protocol';
import { moneyToInput, parseMoney } from '../lib/money';

export type Sort = 'newest' | 'price' | 'payout';
export type Bound = 'price_min' | 'price_max' | 'payout_min' | 'payout_max';
export const BOUNDS: Bound[] = ['price_min', 'price_max', 'payout_min', 'payout_max'];

export type BoardFilter = Record<Bound, number | null> & {
  text: string;
  category: string;
  assignment: '' | BoardOrder['assignment'];
  sort: Sort;
};

export const EVERYTHING: BoardFilter = {
  text: '', category: '', assignment: '', sort: 'newest', price_min: null, price_max: null, payout_min: null, payout_max: null,
};

/** From the page's address. What cannot be read filters nothing. */
export function readFilter(get: (name: string) => unknown): BoardFilter {
  const word = (name: string) => String(get(name) ?? '');
  const one = <T extends string>(name: string, known: T[], other: T): T => known.find((value) => value === word(name)) ?? other;
  const bounds = Object.fromEntries(BOUNDS.map((name) => [name, parseMoney(word(name))])) as Record<Bound, number | null>;
  return { ...bounds, text: word('q'), category: word('category'), assignment: one('assignment', ['first', 'chosen'], ''), sort: one('sort', ['newest', 'price', 'payout'], 'newest') };
}

/** The address of a filter: names and values, '' for what is not filtered. */
export function addressOf(filter: BoardFilter): Record<string, string> {
  const { text, category, assignment, sort } = filter;
  const bounds = BOUNDS.map((name) => [name, filter[name] === null ? '' : moneyToInput(filter[name], '.')]);
  return { q: text, category, assignment, sort: sort === 'newest' ? '' : sort, ...Object.fromEntries(bounds) };
}

/** The same as the API's query. */
export function queryOf(filter: BoardFilter): string {
  const { text, category, assignment, sort } = filter;
  const query = new URLSearchParams();
  const said: [string, string][] = [['q', text.trim()], ['category', category], ['assignment', assignment], ['sort', sort === 'newest' ? '' : sort]];
  for (const [name, value] of said) if (value !== '') query.set(name, value);
  for (const name of BOUNDS) if (filter[name] !== null) query.set(name, String(filter[name]));
  return String(query);
}

/** Something is left out. */
export function isFiltered(filter: BoardFilter): boolean {
  return filter.text !== '' || filter.category !== '' || countOf(filter) > 0;
}

/** How many rules there are beside the words and the category, which are always in sight. */
export function countOf(filter: BoardFilter): number {
  return BOUNDS.filter((name) => filter[name] !== null).length + (filter.assignment === '' ? 0 : 1);
}

/** The live orders alone cannot answer it: there may be more, and the order of all of them is the server's to know. */
export function isSearch(filter: BoardFilter): boolean {
  return filter.text.trim() !== '' || filter.sort !== 'newest';
}

export function matcher(filter: BoardFilter): (order: BoardOrder) => boolean {
  const hasWords = wordsOf(filter.text);
  const { assignment, category, price_min, price_max, payout_min, payout_max } = filter;
  const within = (sum: number, min: number | null, max: number | null) => (min === null || sum >= min) && (max === null || sum <= max);
  return (order) =>
    (category === '' || order.category === category) && (assignment === '' || order.assignment === assignment) &&
    within(order.price, price_min, price_max) && within(order.payout, payout_min, payout_max) && hasWords(order);
}

/** All of them, anywhere in the line, in any case. */
function wordsOf(text: string): (order: BoardOrder) => boolean {
  const words = fold(text).split(/\s+/).filter(Boolean);
  if (words.length === 0) return () => true;
  return (order) => {
    const line = fold(`${order.title} ${order.customer.name} ${order.id}`);
    return words.every((word) => line.includes(word));
  };
}

/** Russians write е for ё, and expect to find it. */
function fold(text: string): string {
  return text.toLowerCase().replaceAll('ё', 'е');
}
