/** One line of the board on the screen: an order, whether it is still there, and our try for it. */
import type { BoardOrder, GoneReason, Person } from '../hub/protocol';

export type Loss =
  | 'taken' | 'frozen' | 'cancelled' | 'own_order' | 'stale' | 'not_found' | 'released' | 'chosen';

/** What is different from what was seen, field by field. */
export type Changes = Record<string, { from: unknown; to: unknown }>;

export type Try =
  | { phase: 'idle' }
  /** Sent; `click_ms` is the server-clock time of the press. */
  | { phase: 'accepting'; click_ms: number }
  /** The answer was lost: asking until somebody says what happened. */
  | { phase: 'checking'; click_ms: number }
  | { phase: 'won'; finished: boolean; at_ms: number }
  | { phase: 'finishing' }
  | { phase: 'lost'; why: Loss; by: Person | null; taken_ms: number | null; click_ms: number; at_ms: number }
  /** Edited since it was seen: nothing was taken, and it can be taken as it is now. */
  | { phase: 'changed'; changes: Changes; at_ms: number }
  | { phase: 'refused'; code: string; retry_s: number | null; at_ms: number };

/** Long enough to read who won; then the line may go. */
const RESULT_STAYS_MS = 8_000;
/** A line that left greys out first, so that the eye can follow. */
const GONE_STAYS_MS = 1_200;
/** Nobody has read what changed a moment before they press. */
const READ_MS = 300;

export class Row {
  readonly id: number;
  #order = $state.raw<BoardOrder>() as BoardOrder;
  #before: { version: number; until: number } | null = null;
  /** Left the board while its line stays in place. */
  gone = $state.raw<GoneReason | 'gone' | null>(null);
  attempt = $state.raw<Try>({ phase: 'idle' });
  #goneMs = 0;

  /** `from`: whether every change of it is heard, or the server told it when it was asked. */
  constructor(order: BoardOrder, readonly from: 'board' | 'search' = 'board') {
    this.id = order.id;
    this.#order = order;
  }

  get order(): BoardOrder {
    return this.#order;
  }

  set order(order: BoardOrder) {
    if (order.version > this.#order.version) this.#before = { version: this.seenVersion, until: Date.now() + READ_MS };
    this.#order = order;
  }

  /** The version that whoever presses now has read. */
  get seenVersion(): number {
    return this.#before && Date.now() < this.#before.until ? this.#before.version : this.#order.version;
  }

  get busy(): boolean {
    const { phase } = this.attempt;
    return phase === 'accepting' || phase === 'checking' || phase === 'finishing';
  }

  leave(reason: NonNullable<Row['gone']>): void {
    if (this.gone !== null) return;
    this.gone = reason;
    this.#goneMs = Date.now();
  }

  /** Given up, reopened, or seen again after a reconnect. */
  comeBack(): void {
    if (this.gone === null) return;
    this.gone = null;
    // What an edit changed is as true as before; what ended a try is over.
    if (!this.busy && this.attempt.phase !== 'changed') this.attempt = { phase: 'idle' };
  }

  /** Its line is still wanted: something is under way, a result is read, or it has only just left. */
  stays(now: number, force: boolean): boolean {
    if (this.gone === null || this.busy) return true;
    const { attempt } = this;
    if ('at_ms' in attempt && now - attempt.at_ms < RESULT_STAYS_MS) return true;
    return !force && now - this.#goneMs < GONE_STAYS_MS;
  }
}
