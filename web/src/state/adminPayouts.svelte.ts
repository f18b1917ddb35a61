/** Everybody's payouts as an admin goes through them. */
import { call } from '../lib/api';
import type { AdminPayout, PayoutDetail, PayoutStatus } from '../lib/types';
import { PagedList } from './pagedList.svelte';

export class AdminPayouts extends PagedList<AdminPayout> {
  status = $state<PayoutStatus | ''>('created');

  show(status: PayoutStatus | ''): Promise<void> {
    this.status = status;
    return this.open('/api/admin/payouts', { status });
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
}
