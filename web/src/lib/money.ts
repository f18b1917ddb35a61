/** Money is integer minor units everywhere; text becomes money here without passing a float. */

/** The largest sum the page lets through; the server has the last word. */
export const MONEY_DIGITS_MAX = 13;

/**
 * What a person types → minor units. Accepts `1234`, `1 234,50`, `1,234.5`, `₽ 99`.
 * `null` for anything that is not plainly one sum, more than two decimals included.
 */
export function parseMoney(text: string): number | null {
  const compact = text.replace(/[\s\u00a0\u202f₽$€]/g, '');
  const match = /^(\d{1,3}(?:,\d{3})+|\d+)(?:[.,](\d{1,2}))?$/.exec(compact);
  if (!match) return null;
  const whole = match[1]!.replaceAll(',', '');
  if (whole.length > MONEY_DIGITS_MAX) return null;
  return Number(whole + (match[2] ?? '').padEnd(2, '0'));
}

/** Minor units → what an input field shows: no grouping, decimals only where there are some. */
export function moneyToInput(minor: number, decimalSign: string): string {
  const digits = String(Math.abs(minor)).padStart(3, '0');
  const cents = digits.slice(-2);
  const text = digits.slice(0, -2) + (cents === '00' ? '' : decimalSign + cents);
  return minor < 0 ? `-${text}` : text;
}

const formats = new Map<string, Intl.NumberFormat>();

/** `1 234,50 ₽` in Russian, `₽1,234.50` in English. Whole sums lose their zeros when `short`. */
export function formatMoney(minor: number, currency: string, lang: string, style: 'full' | 'short' = 'full'): string {
  const decimals = style === 'short' && minor % 100 === 0 ? 0 : 2;
  const key = `${lang}/${currency}/${decimals}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(lang, {
      style: 'currency', currency, currencyDisplay: 'narrowSymbol',
      minimumFractionDigits: decimals, maximumFractionDigits: decimals,
    });
    formats.set(key, format);
  }
  // A decimal string keeps every kopeck where a division would round above 2^53.
  const digits = String(Math.abs(minor)).padStart(3, '0');
  const decimal = `${minor < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
  // A minus, not a hyphen: it is as wide as the plus above it.
  return format.format(decimal as Intl.StringNumericLiteral).replace('-', '−');
}
