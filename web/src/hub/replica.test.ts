import { beforeEach, describe, expect, test } from 'vitest';
import { Replica } from './replica';
import { diff, order, snapshot, tick } from './samples';

let replica: Replica;
const ids = () => replica.orders.map((one) => one.id);

beforeEach(() => {
  replica = new Replica('all');
  replica.replace(snapshot(10, [order(5), order(3)]));
});

describe('a diff', () => {
  test('that continues the copy is applied, newest first', () => {
    const result = replica.apply(diff(10, 11, { up: [order(4), order(9)], rm: [[3, 'taken']] }));
    expect(result.outcome).toBe('applied');
    expect(ids()).toEqual([9, 5, 4]);
    expect(replica.seq).toBe(11);
  });

  test('that starts after the copy is a gap and changes nothing', () => {
    expect(replica.apply(diff(12, 13, { up: [order(9)] })).outcome).toBe('gap');
    expect(ids()).toEqual([5, 3]);
  });

  test('of another epoch is a gap, whatever its numbers say', () => {
    expect(replica.apply(diff(10, 11, { epoch: 'e2' })).outcome).toBe('gap');
  });

  test('before the first snapshot is a gap', () => {
    expect(new Replica('all').apply(diff(0, 1, {})).outcome).toBe('gap');
  });

  test('that was already applied is old and changes nothing', () => {
    expect(replica.apply(diff(9, 10, { rm: [[5, 'taken']] })).outcome).toBe('old');
    expect(ids()).toEqual([5, 3]);
  });

  test('that overlaps the copy is applied, because news is state', () => {
    expect(replica.apply(diff(8, 12, { up: [order(6)] })).outcome).toBe('applied');
    expect(replica.seq).toBe(12);
  });

  test('without a number of its own is applied and moves no position', () => {
    expect(replica.apply(diff(10, 10, { rm: [[5, 'taken']] })).outcome).toBe('applied');
    expect(ids()).toEqual([3]);
    expect(replica.seq).toBe(10);
  });

  test('never puts an older version over a newer one', () => {
    replica.apply(diff(10, 11, { up: [order(5, 4, 'new')] }));
    const late = replica.apply(diff(11, 12, { up: [order(5, 2, 'old')] }));
    expect(late).toEqual({ outcome: 'applied', change: { up: [], rm: [] } });
    expect(replica.orders[0]?.title).toBe('new');
  });
});

describe('a tick', () => {
  test('with the same checksum proves the copy', () => {
    expect(replica.check(tick(10, replica.orders))).toBe('proven');
  });

  test('further on with the same checksum moves the position, for nothing is missing', () => {
    expect(replica.check(tick(14, replica.orders))).toBe('proven');
    expect(replica.seq).toBe(14);
  });

  test('further on with another checksum says that diffs are missing', () => {
    expect(replica.check(tick(11, [order(8)]))).toBe('behind');
  });

  test('at the same position with another checksum says that the copy drifted', () => {
    expect(replica.check(tick(10, [order(8)]))).toBe('wrong');
  });

  test('of another epoch asks for the board again', () => {
    expect(replica.check(tick(10, replica.orders, 'e2'))).toBe('behind');
  });
});

test('a wiped copy is unknown, not empty', () => {
  replica.wipe();
  expect(replica.known).toBe(false);
  expect(ids()).toEqual([]);
});
