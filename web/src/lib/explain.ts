/** Errors for people: what happened, what it means, what to do, in their language. */
import { t } from '../i18n/index.svelte';
import { ApiError } from './api';

export type Explanation = { code: string; title: string; advice: string; field: string | null };

export function explain(error: unknown): Explanation {
  const texts = t().errors;
  if (!(error instanceof ApiError)) return { code: 'internal', ...texts['internal']!, field: null };
  const { code, facts, retryAfterS } = error.problem;
  const { title, advice } = texts[code] ?? texts['internal']!;
  const reason = t().reasons[String(facts['reason'])] ?? t().limits[String(facts['limit'])];
  const parts = [reason ?? advice];
  if (retryAfterS !== null) parts.push(retryIn(retryAfterS));
  return { code, title, advice: parts.join(' '), field: typeof facts['field'] === 'string' ? facts['field'] : null };
}

/** In the largest unit that is not misleading, rounded up: whoever comes back then is not refused again. */
function retryIn(seconds: number): string {
  if (seconds < 120) return t().retryIn(seconds);
  if (seconds < 7200) return t().retryInMinutes(Math.ceil(seconds / 60));
  return t().retryInHours(Math.ceil(seconds / 3600));
}
