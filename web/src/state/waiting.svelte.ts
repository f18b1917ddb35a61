/** How much waits for an administrator, as far as a page of it tells. Looked at when the area is opened and once a minute. */
import { call, type Page } from '../lib/api';

const EVERY_MS = 60_000;
const COUNTED_MAX = 100;
const LISTS = { disputes: '/api/admin/orders?disputed=true', payouts: '/api/admin/payouts?status=created' } as const;

class Waiting {
  disputes = $state(0);
  payouts = $state(0);

  /** Returns what stops it. */
  watch(): () => void {
    const look = () => void (document.visibilityState === 'visible' && this.look());
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }

  /** Also after an act that may have made it less. */
  async look(): Promise<void> {
    for (const name of ['disputes', 'payouts'] as const) {
      try {
        this[name] = (await call<Page<unknown>>('GET', `${LISTS[name]}&limit=${COUNTED_MAX}`)).items.length;
      } catch {
        // The number stays what it was: the page it leads to says what is wrong.
      }
    }
  }
}

export const waiting = new Waiting();
