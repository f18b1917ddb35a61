/** Orders and frames for the tests of the hub and the board. */
import { boardChecksum } from './checksum';
import type { BoardOrder, DiffFrame, SnapshotFrame, TickFrame } from './protocol';

export function order(id: number, version = 1, title = `order ${id}`): BoardOrder {
  return {
    id, version, title, category: null, price: 10_000, payout: 9_000, currency: 'RUB',
    customer: { id: 1, name: 'Anna' }, assignment: 'first', applicants: 0, created_ms: 0,
  };
}

export function snapshot(seq: number, orders: BoardOrder[], epoch = 'e1'): SnapshotFrame {
  return { type: 'snapshot', board: 'all', epoch, seq, checksum: boardChecksum(orders), orders };
}

export function diff(prev: number, seq: number, part: Partial<DiffFrame>): DiffFrame {
  return { type: 'diff', board: 'all', epoch: 'e1', prev, seq, up: [], rm: [], ...part };
}

export function tick(seq: number, orders: BoardOrder[], epoch = 'e1'): TickFrame {
  return { type: 'tick', board: 'all', epoch, seq, checksum: boardChecksum(orders), server_ms: 0 };
}
