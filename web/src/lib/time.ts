/** Ages and moments, in the reader's language. All input is the server's clock in milliseconds. */

const units = new Map<string, Intl.NumberFormat>();
const absolute = new Map<string, Intl.DateTimeFormat>();

/** "12 sec". `nowMs` on the server's clock, and never below zero: a wrong clock shows no future. */
export function formatAge(thenMs: number, nowMs: number, lang: string): string {
  const seconds = Math.max(0, Math.floor((nowMs - thenMs) / 1000));
  if (seconds < 60) return inUnit(seconds, 'second', lang);
  if (seconds < 3600) return inUnit(Math.floor(seconds / 60), 'minute', lang);
  if (seconds < 86_400) return inUnit(Math.floor(seconds / 3600), 'hour', lang);
  return inUnit(Math.floor(seconds / 86_400), 'day', lang);
}

const STEPS = [['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]] as const;

/** "1 day 4 hr": what is left until then, in its two largest units; nothing is left of what has passed. */
export function formatLeft(thenMs: number, nowMs: number, lang: string): string {
  const seconds = Math.max(0, Math.ceil((thenMs - nowMs) / 1000));
  const first = Math.max(0, STEPS.findIndex(([, size]) => seconds >= size));
  const at = seconds === 0 ? STEPS.length - 1 : first;
  const parts = STEPS.slice(at, at + 2).map(([unit, size], i) => [Math.floor((i === 0 ? seconds : seconds % STEPS[at]![1]) / size), unit] as const);
  return parts.filter(([n], i) => i === 0 || n > 0).map(([n, unit]) => inUnit(n, unit, lang)).join(' ');
}

function inUnit(n: number, unit: string, lang: string): string {
  const key = `${lang}/${unit}`;
  let format = units.get(key);
  if (!format) units.set(key, (format = new Intl.NumberFormat(lang, { style: 'unit', unit, unitDisplay: 'short' })));
  return format.format(n);
}

type Precision = 'date' | 'day' | 'second' | 'millisecond';

const OPTIONS: Record<Precision, Intl.DateTimeFormatOptions> = {
  date: { dateStyle: 'medium' },
  day: { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
  second: { dateStyle: 'medium', timeStyle: 'medium' },
  millisecond: {
    hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23',
  },
};

export function formatMoment(ms: number, lang: string, precision: Precision = 'second'): string {
  const key = `${lang}/${precision}`;
  let format = absolute.get(key);
  if (!format) absolute.set(key, (format = new Intl.DateTimeFormat(lang, OPTIONS[precision])));
  // A race is told in one notation everywhere: 12:03:04.120, also where the language writes a comma.
  const text = format.format(ms);
  return precision === 'millisecond' ? text.replace(/,(\d{3})$/, '.$1') : text;
}
