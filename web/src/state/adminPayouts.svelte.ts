/** Everybody's payouts as an admin goes through them. */
import { call, type Page } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import type { AdminPayout, PayoutDetail, PayoutStatus } from '../lib/types';

const PAGE = 20;

export class AdminPayouts {
  items = $state.raw<AdminPayout[]>([]);
  loading = $state(true);
  problem = $state.raw<Explanation | null>(null);
  status = $state<PayoutStatus | ''>('created');
  #next = $state<string | null>(null);
  #load = 0;

  get more(): boolean {
    return this.#next !== null;
  }

  async open(status: PayoutStatus | ''): Promise<void> {
    this.status = status;
    this.items = [];
    this.#next = null;
    await this.#page();
  }

  async nextPage(): Promise<void> {
    if (this.#next !== null && !this.loading) await this.#page();
  }

  detail(id: number): Promise<PayoutDetail> {
    return call<PayoutDetail>('GET', `/api/admin/payouts/${id}`);
  }

  /** Decides, and shows the payout as it is now. */
  async decide(id: number, act: 'approve' | 'reject', comment: string): Promise<void> {
    const body = comment === '' ? {} : { comment };
    const decided = await call<AdminPayout>('POST', `/api/admin/payouts/${id}/${act}`, { body });
    this.items = this.items.map((one) => (one.id === id ? { ...one, ...decided } : one));
  }

  async #page(): Promise<void> {
    const load = ++this.#load;
    this.loading = true;
    this.problem = null;
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (this.status !== '') query.set('status', this.status);
    if (this.#next !== null) query.set('cursor', this.#next);
    try {
      const page = await call<Page<AdminPayout>>('GET', `/api/admin/payouts?${query}`);
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
