/** An executor's applications, the newest orders first. Being chosen or declined is news; what else changes with an order is read again with it. */
import { ApiError, call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import type { ApplicationStatus, OwnApplication } from '../lib/types';
import { live } from './live.svelte';
import { notices } from './notices.svelte';

const PAGE = 30;
const DECIDED = ['chosen', 'declined'];

export class OwnApplications {
  items = $state.raw<OwnApplication[]>([]);
  loading = $state(true);
  problem = $state.raw<Explanation | null>(null);
  #next = $state<string | null>(null);
  #status: ApplicationStatus | '' = '';
  #load = 0;

  get more(): boolean {
    return this.#next !== null;
  }

  /** Start hearing. Returns what stops it. */
  listen(): () => void {
    const deaf = [
      notices.onArrival(({ event }) => DECIDED.includes(event) && void this.refresh()),
      live.onOrder((order) => this.items.some((one) => one.order_id === order.id) && void this.refresh()),
    ];
    return () => deaf.forEach((stop) => stop());
  }

  async open(status: ApplicationStatus | ''): Promise<void> {
    this.#status = status;
    this.items = [];
    this.#next = null;
    await this.nextPage(true);
  }

  async nextPage(isFirst = false): Promise<void> {
    if (!isFirst && (this.#next === null || this.loading)) return;
    const load = ++this.#load;
    this.loading = true;
    this.problem = null;
    try {
      const page = await this.#page(isFirst ? null : this.#next);
      if (load !== this.#load) return;
      this.items = isFirst ? page.items : [...this.items, ...page.items];
      this.#next = page.next;
    } catch (error) {
      if (load === this.#load) this.problem = explain(error);
    } finally {
      if (load === this.#load) this.loading = false;
    }
  }

  /** The newest once more, in their places; older pages stay as they were read. */
  async refresh(): Promise<void> {
    const load = this.#load;
    try {
      const page = await this.#page(null);
      if (load !== this.#load) return;
      const last = page.next === null ? 0 : page.items.at(-1)!.order_id;
      this.items = [...page.items, ...this.items.filter((one) => one.order_id < last)];
      if (this.#next === null || last === 0) this.#next = page.next;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #page(cursor: string | null): Promise<Page<OwnApplication>> {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (this.#status !== '') query.set('status', this.#status);
    if (cursor !== null) query.set('cursor', cursor);
    return call<Page<OwnApplication>>('GET', `/api/applications?${query}`);
  }
}
