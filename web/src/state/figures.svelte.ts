/** What the node that answers has been doing: asked for every few seconds while somebody looks. */
import { call } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import type { Figures } from '../lib/types';

const EVERY_MS = 5_000;

export class FiguresFeed {
  figures = $state.raw<Figures | null>(null);
  problem = $state.raw<Explanation | null>(null);
  paused = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = true;

  /** Returns what stops it. */
  start(): () => void {
    this.#stopped = false;
    const seen = () => void (document.visibilityState === 'visible' && this.#ask());
    document.addEventListener('visibilitychange', seen);
    void this.#ask();
    return () => {
      this.#stopped = true;
      clearTimeout(this.#timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }

  pause(paused: boolean): void {
    this.paused = paused;
    if (!paused) void this.#ask();
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      this.figures = await call<Figures>('GET', '/api/admin/figures');
      this.problem = null;
    } catch (error) {
      this.problem = explain(error);
    }
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      if (!this.paused && document.visibilityState === 'visible') void this.#ask();
    }, EVERY_MS);
  }
}
