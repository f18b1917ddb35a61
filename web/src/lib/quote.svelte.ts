/**
 * The price ⇄ payout pair of a form. The side that was typed stays as typed; the other side is the
 * server's figure, asked for when the typing rests.
 */
import { call } from './api';
import { explain, type Explanation } from './explain';
import { moneyToInput, parseMoney } from './money';
import type { CommissionPolicy, Quote } from './types';

const REST_MS = 250;

export type Side = 'price' | 'payout';

export class QuotedSums {
  price = $state('');
  payout = $state('');
  typed = $state<Side>('price');
  quote = $state.raw<Quote | null>(null);
  problem = $state.raw<Explanation | null>(null);
  waiting = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked: AbortController | null = null;

  /** Without a policy of its own by the one in force; an order keeps the one that it was made with. */
  constructor(private readonly decimalSign: () => string, private readonly policy: () => CommissionPolicy | null = () => null) {}

  /** Both sums as they are known already. */
  fill(price: number, payout: number): void {
    this.#asked?.abort();
    clearTimeout(this.#timer);
    this.typed = 'price';
    this.price = moneyToInput(price, this.decimalSign());
    this.payout = moneyToInput(payout, this.decimalSign());
    this.quote = this.problem = null;
    this.waiting = false;
  }

  /** The typed sum in minor units; `null` while it is not a sum. */
  get minor(): number | null {
    return parseMoney(this[this.typed]);
  }

  type(side: Side, text: string): void {
    this.typed = side;
    this[side] = text;
    this.quote = null;
    this.problem = null;
    this.#asked?.abort();
    clearTimeout(this.#timer);
    const minor = this.minor;
    if (minor === null || minor === 0) {
      this[side === 'price' ? 'payout' : 'price'] = '';
      this.waiting = false;
      return;
    }
    this.waiting = true;
    this.#timer = setTimeout(() => void this.#ask(side, minor), REST_MS);
  }

  async #ask(side: Side, minor: number): Promise<void> {
    const asked = (this.#asked = new AbortController());
    try {
      const { rate_bp, floor_bp, mode } = this.policy() ?? {};
      const by = mode === undefined ? '' : `&rate_bp=${rate_bp}&floor_bp=${floor_bp}&mode=${mode}`;
      const quote = await call<Quote>('GET', `/api/quote?${side}=${minor}${by}`, { signal: asked.signal });
      if (asked.signal.aborted) return;
      this.quote = quote;
      const other = side === 'price' ? 'payout' : 'price';
      this[other] = moneyToInput(quote[other], this.decimalSign());
      this.waiting = false;
    } catch (error) {
      if (asked.signal.aborted) return;
      this.problem = explain(error);
      this.waiting = false;
    }
  }
}
