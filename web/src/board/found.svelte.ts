/**
 * Open orders as the server finds them, page by page: what is searched for, and what lies behind the live thousand. They are not
 * live, but whatever the live board says of one of them is applied.
 */
import type { HubMessage } from '../hub/messages';
import type { BoardOrder } from '../hub/protocol';
import { call, type Page } from '../lib/api';
import { Row } from './row.svelte';

const PAGE = 50;

type BoardMessage = Extract<HubMessage, { kind: 'snapshot' | 'diff' }>;

export class FoundOrders {
  rows = $state.raw<Row[]>([]);
  loading = $state(false);
  /** Why the last page did not arrive. */
  failed = $state.raw<unknown>(null);
  /** Where the next page begins; `null` when there is none. */
  next = $state<string | null>(null);
  /** The first page was asked for. */
  asked = $state(false);
  #query = '';
  /** Of the page that was asked for last. */
  #cursor: string | null = null;
  #asked: AbortController | null = null;

  /** Forgets what was found, and asks for the first page, or for the one at `cursor`. */
  async open(query: string, cursor: string | null = null): Promise<void> {
    this.close();
    this.asked = true;
    this.#query = query;
    await this.#page(cursor);
  }

  /** Nothing is searched for. */
  close(): void {
    this.#asked?.abort();
    this.#asked = null;
    if (this.rows.length > 0) this.rows = [];
    this.next = this.failed = null;
    this.asked = this.loading = false;
  }

  async nextPage(): Promise<void> {
    if (this.next !== null && !this.loading) await this.#page(this.next);
  }

  /** Once more what failed. */
  retry(): Promise<void> {
    return this.#page(this.#cursor);
  }

  /** What the live board says of them. */
  hear(message: BoardMessage): void {
    if (this.rows.length === 0) return;
    const byId = new Map(this.rows.map((row) => [row.id, row]));
    for (const order of message.kind === 'diff' ? message.up : message.orders) renew(byId.get(order.id), order);
    if (message.kind === 'snapshot') return;
    // Past the window it is open as before.
    for (const [id, reason] of message.rm) if (reason !== 'window') byId.get(id)?.leave(reason);
  }

  /** Lets go of the lines that left, when nobody looks at them. */
  settle(force = false): void {
    const now = Date.now();
    if (this.rows.some((row) => !row.stays(now, force))) this.rows = this.rows.filter((row) => row.stays(now, force));
  }

  async #page(cursor: string | null): Promise<void> {
    const asked = (this.#asked = new AbortController());
    this.#cursor = cursor;
    this.loading = true;
    this.failed = null;
    const query = new URLSearchParams(this.#query);
    query.set('list', 'open');
    query.set('limit', String(PAGE));
    if (cursor !== null) query.set('cursor', cursor);
    try {
      const page = await call<Page<BoardOrder>>('GET', `/api/orders?${query}`, { signal: asked.signal });
      if (asked.signal.aborted) return;
      const known = new Set(this.rows.map((row) => row.id));
      this.rows = [...this.rows, ...page.items.filter((order) => !known.has(order.id)).map((order) => new Row(order, 'search'))];
      this.next = page.next;
    } catch (error) {
      if (!asked.signal.aborted) this.failed = error;
    } finally {
      if (!asked.signal.aborted) this.loading = false;
    }
  }
}

function renew(row: Row | undefined, order: BoardOrder): void {
  if (!row || row.order.version > order.version) return;
  row.order = order;
  row.comeBack();
}
