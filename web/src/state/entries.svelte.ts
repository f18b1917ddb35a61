/** An account's history, newest first, by keyset pages; news of a balance fetches what was added on top. */
import { call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import { queryOf, type Filter } from '../lib/history';
import type { Entry } from '../lib/types';

const PAGE = 30;

export class Entries {
  items = $state.raw<Entry[]>([]);
  loading = $state(true);
  problem = $state.raw<Explanation | null>(null);
  #next = $state<string | null>(null);
  #filter: Filter = { account: 'wallet', kind: '', from: '', to: '' };
  /** The account's version that the newest page was asked for. */
  #seen = 0;
  #load = 0;

  get more(): boolean {
    return this.#next !== null;
  }

  async open(filter: Filter): Promise<void> {
    this.#filter = filter;
    this.#seen = 0;
    this.items = [];
    this.#next = null;
    await this.#page(null);
  }

  async nextPage(): Promise<void> {
    if (this.#next !== null && !this.loading) await this.#page(this.#next);
  }

  /** The account moved: its newest page holds what is new (a history without gaps, so `seq` tells). */
  async refresh(version: number): Promise<void> {
    if (this.loading || version <= Math.max(this.#seen, this.items[0]?.seq ?? 0)) return;
    this.#seen = version;
    await this.#page(null);
  }

  async #page(cursor: string | null): Promise<void> {
    const load = ++this.#load;
    this.loading = true;
    this.problem = null;
    const query = queryOf(this.#filter);
    query.set('limit', String(PAGE));
    if (cursor !== null) query.set('cursor', cursor);
    try {
      const page = await call<Page<Entry>>('GET', `/api/accounts/${this.#filter.account}/entries?${query}`);
      if (load !== this.#load) return;
      this.#add(page, cursor);
    } catch (error) {
      if (load === this.#load) this.problem = explain(error);
    } finally {
      if (load === this.#load) this.loading = false;
    }
  }

  #add(page: Page<Entry>, cursor: string | null): void {
    const oldest = page.items.at(-1)?.seq ?? 0;
    const joins = cursor !== null || this.items.some((one) => one.seq >= oldest);
    if (!joins) this.items = [];
    const held = new Set(this.items.map((one) => one.seq));
    const added = page.items.filter((one) => !held.has(one.seq));
    if (cursor !== null || !joins || this.items.length === 0) this.#next = page.next;
    this.items = [...this.items, ...added].sort((a, b) => b.seq - a.seq);
  }
}
