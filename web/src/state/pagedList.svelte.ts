/** A list of the API's as an admin goes through it: pages of one address, the newest first. */
import { call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';

const PAGE = 30;

export class PagedList<T extends { id: number | string }> {
  items = $state.raw<T[]>([]);
  loading = $state(true);
  problem = $state.raw<Explanation | null>(null);
  #path = '';
  #query: Record<string, string> = {};
  #next = $state<string | null>(null);
  #load = 0;

  get more(): boolean {
    return this.#next !== null;
  }

  /** What is empty is not asked for. */
  async open(path: string, query: Record<string, string>): Promise<void> {
    this.#path = path;
    this.#query = query;
    this.items = [];
    this.#next = null;
    await this.#page();
  }

  reload(): Promise<void> {
    return this.open(this.#path, this.#query);
  }

  async nextPage(): Promise<void> {
    if (this.#next !== null && !this.loading) await this.#page();
  }

  /** How one of them is now. */
  put(fresh: T): void {
    this.items = this.items.map((one) => (one.id === fresh.id ? fresh : one));
  }

  drop(id: T['id']): void {
    this.items = this.items.filter((one) => one.id !== id);
  }

  async #page(): Promise<void> {
    const load = ++this.#load;
    this.loading = true;
    this.problem = null;
    const query = new URLSearchParams({ limit: String(PAGE) });
    for (const [name, value] of Object.entries(this.#query)) if (value !== '') query.set(name, value);
    if (this.#next !== null) query.set('cursor', this.#next);
    try {
      const page = await call<Page<T>>('GET', `${this.#path}?${query}`);
      if (load !== this.#load) return;
      this.#next = page.next;
      const held = new Set(this.items.map((one) => one.id));
      this.items = [...this.items, ...page.items.filter((one) => !held.has(one.id))];
    } catch (error) {
      if (load === this.#load) this.problem = explain(error);
    } finally {
      if (load === this.#load) this.loading = false;
    }
  }
}
