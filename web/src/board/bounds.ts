/** What somebody writes into a filter's field for a sum. */
import { MONEY_DIGITS_MAX, parseMoney } from '../lib/money';

/** The sum, in minor units; nothing for an empty field; or why it cannot be used. */
export function readBound(text: string): number | null | 'malformed' | 'too_large' {
  if (text.trim() === '') return null;
  const sum = parseMoney(text);
  if (sum !== null) return sum;
  const isLong = (text.match(/\d/g)?.length ?? 0) > MONEY_DIGITS_MAX;
  return isLong ? 'too_large' : 'malformed';
}
