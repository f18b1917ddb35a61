/**
 * When to come back. Full jitter: a random moment between now and a limit that doubles up to 15 s, so
 * that a thousand clients of a fallen node do not knock together.
 */

export const BASE_MS = 250;
export const CAP_MS = 15_000;
/** A connection this old has proven itself: the next failure starts from the beginning. */
export const STABLE_MS = 10_000;

export function backoffMs(attempt: number, random: number): number {
  return Math.round(random * Math.min(CAP_MS, BASE_MS * 2 ** attempt));
}

export class Backoff {
  #attempt = 0;
  #openedAt: number | null = null;

  constructor(private readonly random: () => number = Math.random) {}

  opened(nowMs: number): void {
    this.#openedAt = nowMs;
  }

  /** The wait before the next attempt, told at the moment the connection was lost. */
  next(nowMs: number): number {
    if (this.#openedAt !== null && nowMs - this.#openedAt >= STABLE_MS) this.#attempt = 0;
    this.#openedAt = null;
    return backoffMs(this.#attempt++, this.random());
  }
}

/** A random moment of the window a draining server gave. */
export function drainMs(frame: { after_ms: number; spread_ms: number }, random: number): number {
  return Math.round(frame.after_ms + random * frame.spread_ms);
}
