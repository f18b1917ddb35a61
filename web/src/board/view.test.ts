import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { order } from '../hub/samples';
import type { BoardOrder, GoneReason } from '../hub/protocol';
import { BoardView } from './view.svelte';

let view: BoardView;
const ids = () => view.rows.map((row) => row.id);
const news = (up: BoardOrder[], rm: [number, GoneReason][] = []) => {
  view.receive({ kind: 'diff', board: 'all', up, rm });
  view.flush();
};

beforeEach(() => {
  vi.useFakeTimers();
  view = new BoardView();
  view.open('all');
  view.receive({ kind: 'snapshot', boot: 'b', board: 'all', orders: [order(5), order(3)] });
  view.flush();
});
afterEach(() => vi.useRealTimers());

describe('while nobody is at the list', () => {
  test('new orders appear at once, newest first', () => {
    news([order(4), order(9)]);
    expect(ids()).toEqual([9, 5, 4, 3]);
  });

  test('a taken order greys out first and goes a moment later', () => {
    news([], [[5, 'taken']]);
    expect(view.row(5)?.gone).toBe('taken');
    vi.advanceTimersByTime(1_500);
    view.settle();
    expect(ids()).toEqual([3]);
  });
});

describe('while somebody is at the list', () => {
  beforeEach(() => (view.held = true));

  test('no line moves: new orders wait, taken ones grey out in place', () => {
    news([order(9)], [[5, 'taken']]);
    vi.advanceTimersByTime(60_000);
    view.settle();
    expect(ids()).toEqual([5, 3]);
    expect(view.row(5)?.gone).toBe('taken');
    expect(view.waiting.map((one) => one.id)).toEqual([9]);
  });

  test('a waiting order that is taken meanwhile is never shown', () => {
    news([order(9)]);
    news([], [[9, 'taken']]);
    expect(view.waiting).toEqual([]);
    view.settle(true);
    expect(ids()).toEqual([5, 3]);
  });

  test('a changed order changes in its place', () => {
    news([order(5, 2, 'edited')]);
    expect(view.row(5)?.order.title).toBe('edited');
  });

  test('the button shows everything that waits', () => {
    news([order(9)], [[3, 'cancelled']]);
    view.settle(true);
    expect(ids()).toEqual([9, 5]);
    expect(view.waiting).toEqual([]);
  });

  test('a fresh snapshot after a reconnect greys out what is gone and holds back what is new', () => {
    view.receive({ kind: 'snapshot', boot: 'b', board: 'all', orders: [order(8), order(3)] });
    view.flush();
    expect(ids()).toEqual([5, 3]);
    expect(view.row(5)?.gone).toBe('gone');
    expect(view.waiting.map((one) => one.id)).toEqual([8]);
  });

  test('an order that comes back is open again in its place', () => {
    news([], [[5, 'frozen']]);
    news([order(5, 3)]);
    expect(view.row(5)?.gone).toBeNull();
    expect(ids()).toEqual([5, 3]);
  });
});

test('the result of a try stays long enough to be read', () => {
  const row = view.row(5)!;
  row.attempt = { phase: 'lost', why: 'taken', by: null, taken_ms: null, click_ms: 0, at_ms: Date.now() };
  news([], [[5, 'taken']]);
  vi.advanceTimersByTime(5_000);
  view.settle();
  expect(ids()).toEqual([5, 3]);
  vi.advanceTimersByTime(4_000);
  view.settle();
  expect(ids()).toEqual([3]);
});

test('frames of another board are not mixed in', () => {
  view.receive({ kind: 'diff', board: 'category:text', up: [order(99)], rm: [] });
  view.flush();
  expect(ids()).toEqual([5, 3]);
});
