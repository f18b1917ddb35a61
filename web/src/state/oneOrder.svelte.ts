/**
 * One order as its page shows it: the whole row, what has happened to it, and who has applied for it.
 * News only says that it moved; the page asks for the rest, at most a few times a second however much moves.
 */
import { Row } from '../board/row.svelte';
import type { GoneReason } from '../hub/protocol';
import { ApiError, call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import type { Applicants, OrderEvent, OrderFull } from '../lib/types';
import { live } from './live.svelte';
import { session } from './session.svelte';

const RELOAD_MS = 300;
/** As many as the server gives at once. An order has at most five times as many applicants. */
const APPLICANTS = 100;

export class OneOrder {
  order = $state.raw<OrderFull | null>(null);
  row = $state.raw<Row | null>(null);
  events = $state.raw<OrderEvent[]>([]);
  applicants = $state.raw<Applicants | null>(null);
  problem = $state.raw<Explanation | null>(null);
  /** Why it left the board while its page was open. */
  gone = $state.raw<GoneReason | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly id: string) {}

  /** Loads, and starts hearing. Returns what stops it. */
  open(): () => void {
    void this.load();
    const deaf = live.onOrder((news) => {
      if (String(news.id) === this.id && news.version > (this.order?.version ?? 0)) this.#soon();
    });
    // A stranger hears of an open order through the board, which the hub holds in memory anyway.
    const away = live.watch('all', (message) => {
      if (message.kind !== 'diff' || this.row?.busy) return;
      // What moves while the page is still asking moves it, too.
      const version = this.order?.version ?? 0;
      const left = message.rm.find(([id]) => String(id) === this.id);
      if (left) this.gone = left[1];
      if (left || message.up.some((one) => String(one.id) === this.id && one.version > version)) this.#soon();
    });
    return () => {
      clearTimeout(this.#timer);
      deaf();
      away();
    };
  }

  async load(): Promise<void> {
    try {
      this.put(await call<OrderFull>('GET', `/api/orders/${encodeURIComponent(this.id)}`));
      this.problem = this.gone = null;
    } catch (error) {
      this.problem = explain(error);
      // An applicant may still see what became of the application.
      if (this.problem.code === 'not_found' && session.role === 'executor') await this.#compare().catch(() => {});
    }
  }

  /** An answer or a reading: whichever is newer stays. */
  put(full: OrderFull): void {
    if (this.order && this.order.version > full.version) return;
    this.order = full;
    if (this.row?.id !== full.id) this.row = new Row(full);
    else this.row.order = full;
    void this.#rest(full);
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.load(), RELOAD_MS);
  }

  /** What stands beside the row. Where it does not arrive, the page shows what it has; the next news asks again. */
  async #rest(full: OrderFull): Promise<void> {
    const me = session.me?.user.id;
    const isParty = me !== undefined && (full.customer.id === me || full.executor?.id === me);
    const isOwner = full.customer.id === me && session.role === 'customer';
    try {
      if (isParty || session.role === 'admin') this.events = (await call<Page<OrderEvent>>('GET', `/api/orders/${this.id}/timeline`)).items;
      if (full.assignment === 'chosen' && (isOwner || session.role === 'executor' || session.role === 'admin')) await this.#compare();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** All of them, to be compared; an executor's is one. */
  async #compare(): Promise<void> {
    const path = `/api/orders/${encodeURIComponent(this.id)}/applications?limit=${APPLICANTS}`;
    let page = await call<Applicants>('GET', path);
    let items = page.items;
    while (page.next !== null) {
      page = await call<Applicants>('GET', `${path}&cursor=${page.next}`);
      items = [...items, ...page.items];
    }
    this.applicants = { ...page, items };
  }
}
