/** The list of notifications: pages of the past, and what arrives meanwhile on top of them. */
import type { Notice } from '../hub/protocol';
import { call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import { notices } from './notices.svelte';

const PAGE = 30;

type NoticePage = Page<Notice & { read: boolean }> & { unread: number };

export class NoticeList {
  items = $state.raw<Notice[]>([]);
  loading = $state(true);
  problem = $state.raw<Explanation | null>(null);
  /** What was read before this list was opened: the rest stays marked while one looks. */
  readBefore = $state<number | null>(null);
  #next = $state<string | null>(null);

  get more(): boolean {
    return this.#next !== null;
  }

  listen(): () => void {
    return notices.onArrival((notice) => this.#put([notice]));
  }

  open(): Promise<void> {
    return this.#page(null);
  }

  async nextPage(): Promise<void> {
    if (this.#next !== null && !this.loading) await this.#page(this.#next);
  }

  /** Everything that is shown has been read. */
  async read(): Promise<void> {
    const newest = this.items[0]?.id ?? 0;
    if (newest <= notices.readUpTo) return;
    try {
      await call('POST', '/api/notifications/read', { body: { up_to: newest } });
    } catch {
      // The count stays what it is, and the next look tries again.
    }
  }

  async #page(cursor: string | null): Promise<void> {
    this.loading = true;
    this.problem = null;
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (cursor !== null) query.set('cursor', cursor);
    try {
      const page = await call<NoticePage>('GET', `/api/notifications?${query}`);
      if (cursor !== null || this.items.length === 0) this.#next = page.next;
      this.readBefore ??= page.items.find((one) => one.read)?.id ?? 0;
      this.#put(page.items);
    } catch (error) {
      this.problem = explain(error);
    } finally {
      this.loading = false;
    }
  }

  #put(fresh: Notice[]): void {
    const known = new Set(fresh.map((one) => one.id));
    this.items = [...fresh, ...this.items.filter((one) => !known.has(one.id))].sort((a, b) => b.id - a.id);
  }
}
