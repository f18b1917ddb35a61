/**
 * What the board shows, as apart from what the board is.
 *
 * While somebody points at, touches or has focus in the list (`held`), no line moves: what left greys
 * out in its place, what is new waits behind a button. When nobody does, the view settles to the truth.
 */
import type { HubMessage } from '../hub/messages';
import type { BoardOrder } from '../hub/protocol';
import { Row } from './row.svelte';

type BoardMessage = Extract<HubMessage, { kind: 'snapshot' | 'diff' }>;

/** Frames stall in the background; a timer doesn't. Whichever comes first applies what has gathered. */
const APPLY_MS = 250;
/**
 * The first change shows on the next frame, those of a burst together: at 50 changes a second, drawing
 * each by itself took four times the processor and nobody could read it.
 */
const BURST_MS = 100;
/** So many messages in one burst are a rush, which is easier on the eye, too, in four steps a second. */
const RUSH = 4;
const RUSH_MS = 250;

export type Counted = (fresh: number, taken: number) => void;

export class BoardView {
  rows = $state.raw<Row[]>([]);
  waiting = $state.raw<BoardOrder[]>([]);
  loaded = $state(false);
  held = false;
  readonly #byId = new Map<number, Row>();
  readonly #waitingById = new Map<number, BoardOrder>();
  #board: string | null = null;
  #queue: BoardMessage[] = [];
  #scheduled = false;
  #appliedMs = 0;
  #restMs = BURST_MS;

  constructor(private readonly counted: Counted = () => {}) {}

  /** Another board is another list: nothing of the old one may be left to press. */
  open(board: string): void {
    if (this.#board === board) return;
    this.#board = board;
    this.#queue = [];
    this.#byId.clear();
    this.#waitingById.clear();
    this.rows = [];
    this.waiting = [];
    this.loaded = false;
  }

  row(id: number): Row | undefined {
    return this.#byId.get(id);
  }

  receive(message: BoardMessage): void {
    if (message.board !== this.#board) return;
    this.#queue.push(message);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = this.#appliedMs + this.#restMs - Date.now();
    if (wait > 0) setTimeout(() => this.#nextFrame(), wait);
    else this.#nextFrame();
  }

  flush(): void {
    this.#scheduled = false;
    this.#appliedMs = Date.now();
    const queue = this.#queue;
    this.#restMs = queue.length >= RUSH ? RUSH_MS : BURST_MS;
    this.#queue = [];
    for (const message of queue) {
      if (message.kind === 'snapshot') this.#replace(message.orders);
      else this.#merge(message.up, message.rm);
    }
    this.settle();
  }

  /** Show the truth: by the button, or by itself when nobody holds the list. */
  settle(force = false): void {
    if (!force && this.held) {
      if (this.waiting.length !== this.#waitingById.size) this.#listWaiting();
      return;
    }
    let changed = this.#waitingById.size > 0;
    for (const order of this.#waitingById.values()) this.#byId.set(order.id, new Row(order));
    this.#waitingById.clear();
    const now = Date.now();
    for (const row of this.#byId.values()) {
      if (row.stays(now, force)) continue;
      this.#byId.delete(row.id);
      changed = true;
    }
    if (changed) this.rows = [...this.#byId.values()].sort((a, b) => b.id - a.id);
    if (this.waiting.length > 0) this.waiting = [];
  }

  #nextFrame(): void {
    let done = false;
    const apply = () => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      this.flush();
    };
    const timer = setTimeout(apply, APPLY_MS);
    if (typeof requestAnimationFrame === 'function') requestAnimationFrame(apply);
  }

  #replace(orders: BoardOrder[]): void {
    const present = new Set<number>();
    for (const order of orders) present.add(order.id);
    for (const row of this.#byId.values()) if (!present.has(row.id)) row.leave('gone');
    for (const id of this.#waitingById.keys()) if (!present.has(id)) this.#waitingById.delete(id);
    const first = !this.loaded;
    this.loaded = true;
    for (const order of orders) this.#arrive(order);
    // The first snapshot is not news, and there is nothing yet that could move.
    if (first) this.settle(true);
  }

  #merge(up: BoardOrder[], rm: [number, NonNullable<Row['gone']>][]): void {
    let fresh = 0;
    let taken = 0;
    for (const order of up) if (this.#arrive(order)) fresh += 1;
    for (const [id, reason] of rm) {
      if (reason === 'taken') taken += 1;
      this.#byId.get(id)?.leave(reason);
      this.#waitingById.delete(id);
    }
    this.counted(fresh, taken);
  }

  #arrive(order: BoardOrder): boolean {
    const row = this.#byId.get(order.id);
    if (!row) {
      const isNew = !this.#waitingById.has(order.id);
      this.#waitingById.set(order.id, order);
      return isNew;
    }
    if (order.version > row.order.version) row.order = order;
    row.comeBack();
    return false;
  }

  #listWaiting(): void {
    this.waiting = [...this.#waitingById.values()];
  }
}
