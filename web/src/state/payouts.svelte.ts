/** One's own payouts, newest first. What a payout is told in an answer stays; the rest is asked for again when money moves. */
import { call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import type { Payout } from '../lib/types';

const PAGE = 20;

export class Payouts {
  items = $state.raw<Payout[]>([]);
  loading = $state(true);
  problem = $state.raw<Explanation | null>(null);
  #next = $state<string | null>(null);
  #load = 0;

  get more(): boolean {
    return this.#next !== null;
  }

  /** The newest page; payouts that were already shown keep their place. */
  async refresh(): Promise<void> {
    await this.#page(null);
  }

  async nextPage(): Promise<void> {
    if (this.#next !== null && !this.loading) await this.#page(this.#next);
  }

  put(payout: Payout): void {
    const others = this.items.filter((one) => one.id !== payout.id);
    this.items = [...others, payout].sort((a, b) => b.id - a.id);
  }

  async #page(cursor: string | null): Promise<void> {
    const load = ++this.#load;
    this.loading = true;
    this.problem = null;
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (cursor !== null) query.set('cursor', cursor);
    try {
      const page = await call<Page<Payout>>('GET', `/api/payouts?${query}`);
      if (load !== this.#load) return;
      if (cursor !== null || this.items.length === 0) this.#next = page.next;
      for (const payout of page.items) this.put(payout);
    } catch (error) {
      if (load === this.#load) this.problem = explain(error);
    } finally {
      if (load === this.#load) this.loading = false;
    }
  }
}
