/** One's own orders as a list: pages from the API, kept alive by the socket. The newer version wins. */
import type { OrderStatus, OwnOrder } from '../hub/protocol';
import { call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import { live } from './live.svelte';

const PAGE = 30;

export class OwnOrders {
  items = $state.raw<OwnOrder[]>([]);
  loading = $state(true);
  problem = $state.raw<Explanation | null>(null);
  #next = $state<string | null>(null);
  #status: OrderStatus | '' = '';
  #load = 0;

  constructor(
    private readonly list: 'mine' | 'contracts',
    private readonly mine: (order: OwnOrder) => boolean,
    private readonly moved: (order: OwnOrder, before: OwnOrder) => void,
  ) {}

  get more(): boolean {
    return this.#next !== null;
  }

  /** Start hearing. Returns what stops it. */
  listen(): () => void {
    return live.onOrder((order) => this.#heard(order));
  }

  async open(status: OrderStatus | ''): Promise<void> {
    this.#status = status;
    this.items = [];
    this.#next = null;
    await this.#page();
  }

  async nextPage(): Promise<void> {
    if (this.#next !== null && !this.loading) await this.#page();
  }

  /** Once more what failed. */
  retry(): Promise<void> {
    return this.#page();
  }

  /** An action's answer, or the socket's news: whichever is newer stays. */
  put(order: OwnOrder): void {
    const at = this.items.findIndex((one) => one.id === order.id);
    const held = this.items[at];
    if (held && held.version > order.version) return;
    const fits = this.mine(order) && (this.#status === '' || order.status === this.#status);
    if (held) this.items = fits ? this.items.with(at, order) : this.items.toSpliced(at, 1);
    // What belongs on a page that was not read yet comes with that page.
    else if (fits && (this.#next === null || order.id > (this.items.at(-1)?.id ?? 0))) this.#add([order]);
  }

  /** What news has told meanwhile of one of them is newer. */
  #add(orders: OwnOrder[]): void {
    const known = new Set(this.items.map((one) => one.id));
    this.items = [...this.items, ...orders.filter((order) => !known.has(order.id))].sort((a, b) => b.id - a.id);
  }

  #heard(order: OwnOrder): void {
    const before = this.items.find((one) => one.id === order.id);
    this.put(order);
    if (before && before.version < order.version && before.status !== order.status) this.moved(order, before);
  }

  async #page(): Promise<void> {
    const load = ++this.#load;
    this.loading = true;
    this.problem = null;
    const query = new URLSearchParams({ list: this.list, limit: String(PAGE) });
    if (this.#status !== '') query.set('status', this.#status);
    if (this.#next !== null) query.set('cursor', this.#next);
    try {
      const page = await call<Page<OwnOrder>>('GET', `/api/orders?${query}`);
      if (load !== this.#load) return;
      this.#next = page.next;
      this.#add(page.items);
    } catch (error) {
      if (load === this.#load) this.problem = explain(error);
    } finally {
      if (load === this.#load) this.loading = false;
    }
  }
}
