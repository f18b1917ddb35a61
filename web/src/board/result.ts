/** The one line that says how a try ended. */
import type { Dictionary } from '../i18n/en';
import { formatMoment } from '../lib/time';
import type { Try } from './row.svelte';

/** Below this a difference between clocks says nothing. */
const SAME_MS = 1;

/** "Taken by X at 12:03:04.120, 120 ms before you". `null` while there is no bad news. */
export function resultLine(attempt: Try, dictionary: Dictionary, lang: string): string | null {
  if (attempt.phase === 'refused') {
    const texts = dictionary.errors[attempt.code] ?? dictionary.errors['internal']!;
    const retry = attempt.retry_s === null ? '' : ` ${dictionary.retryIn(attempt.retry_s)}`;
    return `${texts.title}. ${texts.advice}${retry}`;
  }
  if (attempt.phase !== 'lost') return null;
  const { board } = dictionary;
  if (attempt.why !== 'taken' || !attempt.by || attempt.taken_ms === null) return board.lost[attempt.why];
  const who = board.takenBy(attempt.by.name, formatMoment(attempt.taken_ms, lang, 'millisecond'));
  const ahead = Math.round(attempt.click_ms - attempt.taken_ms);
  const margin = Math.abs(ahead) < SAME_MS ? board.sameMoment : ahead > 0 ? board.before(ahead) : board.after(-ahead);
  return `${who}, ${margin}`;
}
