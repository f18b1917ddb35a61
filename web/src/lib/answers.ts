/**
 * The latest answers of the API as the browser remembers them: each says in `Server-Timing` where it comes from and how old that
 * was. Addresses are shown without what was asked for: words that somebody looks for are nobody else's business.
 */

export type Answer = {
  /** When it was asked for, by `performance.now()`. */
  askedMs: number;
  path: string;
  /** `mysql`, `memory` or `node`; a newer server may know others. */
  source: string;
  /** How old it was when it was given. */
  ageMs: number;
  tookMs: number;
};

type Entry = Pick<PerformanceResourceTiming, 'name' | 'startTime' | 'duration'> & {
  /** Absent where the page does not come over https, nor from this machine. */
  serverTiming?: readonly Pick<PerformanceServerTiming, 'name' | 'duration' | 'description'>[];
};

const SHOWN_MAX = 30;

/** Newest first. What does not say where it comes from is no answer, but a file or a refusal. */
export function latestAnswers(entries: Entry[]): Answer[] {
  return entries.flatMap((entry) => answerOf(entry) ?? []).sort((a, b) => b.askedMs - a.askedMs).slice(0, SHOWN_MAX);
}

function answerOf({ name, startTime, duration, serverTiming = [] }: Entry): Answer | null {
  const told = (what: string) => serverTiming.find((timing) => timing.name === what);
  const source = told('source')?.description;
  if (!source) return null;
  return { askedMs: startTime, path: new URL(name).pathname, source, ageMs: told('age')?.duration ?? 0, tookMs: duration };
}
