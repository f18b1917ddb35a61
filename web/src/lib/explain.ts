/** Errors for people: what happened, what it means, what to do, in their language. */
import { t } from '../i18n/index.svelte';
import { ApiError } from './api';

export type Explanation = { code: string; title: string; advice: string; field: string | null };

export function explain(error: unknown): Explanation {
  const texts = t().errors;
  if (!(error instanceof ApiError)) return { code: 'internal', ...texts['internal']!, field: null };
  const { code, facts, retryAfterS } = error.problem;
  const { title, advice } = texts[code] ?? texts['internal']!;
  const reason = t().reasons[String(facts['reason'])];
  const parts = [reason ?? advice];
  if (retryAfterS !== null) parts.push(t().retryIn(retryAfterS));
  return { code, title, advice: parts.join(' '), field: typeof facts['field'] === 'string' ? facts['field'] : null };
}
