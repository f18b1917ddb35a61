/** New orders one wants to be told of, and whether this browser sounds or shows a system notification for them. */
import { ApiError, call, newKey } from '../lib/api';
import { explain, type Explanation } from '../lib/explain';
import type { Subscription } from '../lib/types';

/** The subscription to every category, and to orders of none. */
export const ALL = 'all';
const SYSTEM = 'orderboard.system-notices';
/** Changes with the subscriptions: any tab may be the one that sounds. */
const CHANGED = 'orderboard.subscriptions';

class Subscriptions {
  items = $state.raw<Subscription[] | null>(null);
  problem = $state.raw<Explanation | null>(null);
  /** Whose system notifications this device shows: a permission is one browser's, so it is not kept by the server. */
  shown = $state.raw<ReadonlySet<string>>(new Set(readShown()));
  #owner: number | undefined;
  #asked: Promise<void> | null = null;

  constructor() {
    addEventListener('storage', (event) => {
      if (event.key === SYSTEM) this.shown = new Set(readShown());
      if (event.key !== CHANGED || this.#asked === null) return;
      this.#asked = null;
      void this.load(this.#owner);
    });
  }

  /** Asked for once for each person. */
  load(owner: number | undefined): Promise<void> {
    if (owner !== this.#owner) {
      this.#owner = owner;
      this.items = null;
      this.#asked = null;
    }
    if (owner === undefined) return Promise.resolve();
    return (this.#asked ??= this.#load());
  }

  async put(category: string, priceMin: number | null, sound: boolean): Promise<void> {
    const body = priceMin === null ? { sound } : { sound, price_min: priceMin };
    const fresh = await call<Subscription>('PUT', `/api/subscriptions/${category}`, { body });
    this.#keep([...this.#others(category), fresh]);
    write(CHANGED, newKey());
  }

  async end(category: string): Promise<void> {
    await call('DELETE', `/api/subscriptions/${category}`);
    this.#keep(this.#others(category));
    write(CHANGED, newKey());
  }

  show(category: string, shown: boolean): void {
    const all = new Set(this.shown);
    if (shown) all.add(category);
    else all.delete(category);
    this.shown = all;
    write(SYSTEM, JSON.stringify([...all]));
  }

  /** The subscriptions an order was told for. */
  matching(category: string | null, price: number): Subscription[] {
    const fits = (one: Subscription) => (one.category === ALL || one.category === category) && price >= (one.price_min ?? 0);
    return this.items?.filter(fits) ?? [];
  }

  #others(category: string): Subscription[] {
    return this.items?.filter((one) => one.category !== category) ?? [];
  }

  #keep(items: Subscription[]): void {
    this.items = items.sort((a, b) => Number(b.category === ALL) - Number(a.category === ALL) || a.category.localeCompare(b.category));
  }

  async #load(): Promise<void> {
    this.problem = null;
    try {
      this.#keep((await call<{ items: Subscription[] }>('GET', '/api/subscriptions')).items);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = explain(error);
      this.#asked = null;
    }
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage may be off: it holds in this tab, until it is closed.
  }
}

function readShown(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(SYSTEM) ?? '[]');
    return Array.isArray(kept) ? kept.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

export const subscriptions = new Subscriptions();
