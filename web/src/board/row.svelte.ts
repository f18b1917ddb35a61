/** One line of the board on the screen: an order, whether it is still there, and our try for it. */
import type { BoardOrder, GoneReason, Person } from '../hub/protocol';

export type Loss =
  | 'taken' | 'frozen' | 'cancelled' | 'own_order' | 'stale' | 'not_found' | 'released' | 'chosen';

export type Try =
  | { phase: 'idle' }
  /** Sent; `click_ms` is the server-clock time of the press. */
  | { phase: 'accepting'; click_ms: number }
  /** The answer was lost: asking until somebody says what happened. */
  | { phase: 'checking'; click_ms: number }
  | { phase: 'won'; finished: boolean; at_ms: number }
  | { phase: 'finishing' }
  | { phase: 'lost'; why: Loss; by: Person | null; taken_ms: number | null; click_ms: number; at_ms: number }
  | { phase: 'refused'; code: string; retry_s: number | null; at_ms: number };

export class Row {
  readonly id: number;
  order = $state.raw<BoardOrder>() as BoardOrder;
  /** Left the board while its line stays in place. */
  gone = $state.raw<GoneReason | 'gone' | null>(null);
  attempt = $state.raw<Try>({ phase: 'idle' });

  constructor(order: BoardOrder) {
    this.id = order.id;
    this.order = order;
  }

  get busy(): boolean {
    const { phase } = this.attempt;
    return phase === 'accepting' || phase === 'checking' || phase === 'finishing';
  }
}
