/** Rates are basis points (1/10,000): integers, like money. */

/** "10", "8,5", "0.25" → basis points; `null` for anything else or 100 % and more. */
export function parsePercent(text: string): number | null {
  const match = /^(\d{1,2})(?:[.,](\d{1,2}))?$/.exec(text.trim().replace(/\s*%$/, ''));
  return match ? Number(match[1]! + (match[2] ?? '').padEnd(2, '0')) : null;
}

export function percentToInput(bp: number, decimalSign: string): string {
  const rest = String(bp % 100).padStart(2, '0').replace(/0+$/, '');
  return String(Math.floor(bp / 100)) + (rest === '' ? '' : decimalSign + rest);
}
