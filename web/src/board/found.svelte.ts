/**
 * Open orders as the server finds them, page by page: what is searched for, and what lies behind the live thousand. They are not
 * live, but whatever the live board says of one of them is applied.
 */
import type { HubMessage } from '../hub/messages';
import type { BoardOrder } from '../hub/protocol';
import { call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import { Row } from './row.svelte';

const PAGE = 50;

type BoardMessage = Extract<HubMessage, { kind: 'snapshot' | 'diff' }>;

export class FoundOrders {
  rows = $state.raw<Row[]>([]);
  loading = $state(false);
  problem = $state.raw<Explanation | null>(null);
  /** Where the next page begins; `null` when there is none. */
  next = $state<string | null>(null);
  #query = '';
  #asked: AbortController | null = null;

  /** Forgets what was found, and asks for the first page, or for the one at `cursor`. */
  async open(query: string, cursor: string | null = null): Promise<void> {
    this.close();
    this.#query = query;
    await this.#page(cursor);
  }

  /** Nothing is searched for. */
  close(): void {
    this.#asked?.abort();
    this.#asked = null;
    this.rows = [];
    this.next = this.problem = null;
    this.loading = false;
  }

  async nextPage(): Promise<void> {
    if (this.next !== null && !this.loading) await this.#page(this.next);
  }

  /** Once more what failed. */
  retry(): Promise<void> {
    return this.#page(this.next);
  }

  hear(message: BoardMessage): void {
    if (this.rows.length === 0) return;
    const byId = new Map(this.rows.map((row) => [row.id, row]));
    for (const order of message.kind === 'diff' ? message.up : message.orders) this.#renew(byId.get(order.id), order);
    if (message.kind === 'snapshot') return;
    for (const [id, reason] of message.rm) {
      const row = byId.get(id);
      // Past the window it is open as before.
      if (row && reason !== 'window') row.gone = reason;
    }
  }

  #renew(row: Row | undefined, order: BoardOrder): void {
    if (!row || row.order.version > order.version) return;
    row.order = order;
    row.gone = null;
  }

  async #page(cursor: string | null): Promise<void> {
    const asked = (this.#asked = new AbortController());
    this.loading = true;
    this.problem = null;
    const query = new URLSearchParams(this.#query);
    query.set('list', 'open');
    query.set('limit', String(PAGE));
    if (cursor !== null) query.set('cursor', cursor);
    try {
      const page = await call<Page<BoardOrder>>('GET', `/api/orders?${query}`, { signal: asked.signal });
      if (asked.signal.aborted) return;
      const known = new Set(this.rows.map((row) => row.id));
      this.rows = [...this.rows, ...page.items.filter((order) => !known.has(order.id)).map((order) => new Row(order))];
      this.next = page.next;
    } catch (error) {
      if (!asked.signal.aborted) this.problem = explain(error);
    } finally {
      if (!asked.signal.aborted) this.loading = false;
    }
  }
}
