/**
 * One board's copy in the hub.
 *
 * News is state, not deltas: the whole row with its version, and the newer version wins. Applying a
 * frame twice, or one that overlaps what is already here, changes nothing. Only a frame that starts
 * *after* what is here leaves a hole, and a hole is answered by watching again, never by guessing.
 */
import { boardChecksum } from './checksum';
import type { BoardOrder, DiffFrame, GoneReason, SnapshotFrame, TickFrame } from './protocol';

/** What really changed, for the tabs. */
export type Change = { up: BoardOrder[]; rm: [number, GoneReason][] };

export type DiffOutcome = { outcome: 'applied'; change: Change } | { outcome: 'old' } | { outcome: 'gap' };

/** `proven`: the copy is right. `behind`: diffs are missing. `wrong`: the copy drifted. */
export type TickOutcome = 'proven' | 'behind' | 'wrong';

export class Replica {
  epoch: string | null = null;
  seq = 0;
  readonly #orders = new Map<number, BoardOrder>();
  #newestFirst: BoardOrder[] | null = [];

  constructor(readonly board: string) {}

  /** False until the first snapshot: an empty board and an unknown one are different things. */
  get known(): boolean {
    return this.epoch !== null;
  }

  get orders(): BoardOrder[] {
    this.#newestFirst ??= [...this.#orders.values()].sort((a, b) => b.id - a.id);
    return this.#newestFirst;
  }

  wipe(): void {
    this.epoch = null;
    this.seq = 0;
    this.#orders.clear();
    this.#newestFirst = [];
  }

  /** True if the checksum proves that all of it is here. */
  replace(frame: SnapshotFrame): boolean {
    this.epoch = frame.epoch;
    this.seq = frame.seq;
    this.#orders.clear();
    for (const order of frame.orders) this.#orders.set(order.id, order);
    this.#newestFirst = null;
    return boardChecksum(this.orders) === frame.checksum;
  }

  apply(frame: DiffFrame): DiffOutcome {
    if (!this.known || frame.epoch !== this.epoch) return { outcome: 'gap' };
    // prev == seq: state that reached the node past the bus. It takes no number, and is always welcome.
    const unnumbered = frame.prev === frame.seq;
    if (!unnumbered) {
      if (frame.prev > this.seq) return { outcome: 'gap' };
      if (frame.seq <= this.seq) return { outcome: 'old' };
      this.seq = frame.seq;
    }
    return { outcome: 'applied', change: this.#write(frame) };
  }

  check(tick: TickFrame): TickOutcome {
    if (!this.known || tick.epoch !== this.epoch) return 'behind';
    if (boardChecksum(this.orders) === tick.checksum) {
      // News of other boards may have moved the position; an equal checksum proves nothing is missing.
      if (tick.seq > this.seq) this.seq = tick.seq;
      return 'proven';
    }
    return tick.seq > this.seq ? 'behind' : 'wrong';
  }

  #write(frame: DiffFrame): Change {
    const change: Change = { up: [], rm: [] };
    for (const order of frame.up) {
      const held = this.#orders.get(order.id);
      if (held && held.version >= order.version) continue;
      this.#orders.set(order.id, order);
      change.up.push(order);
    }
    for (const gone of frame.rm) {
      if (this.#orders.delete(gone[0])) change.rm.push(gone);
    }
    if (change.up.length + change.rm.length > 0) this.#newestFirst = null;
    return change;
  }
}
