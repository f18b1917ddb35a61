import { expect, test } from 'vitest';
import { Backoff, backoffMs, CAP_MS, drainMs, STABLE_MS } from './backoff';

test('the limit doubles from 250 ms and stops at 15 s', () => {
  expect([0, 1, 2, 3].map((n) => backoffMs(n, 1))).toEqual([250, 500, 1000, 2000]);
  expect(backoffMs(30, 1)).toBe(CAP_MS);
});

test('the jitter is full: the wait may be anything from nothing to the limit', () => {
  expect(backoffMs(4, 0)).toBe(0);
  expect(backoffMs(4, 0.5)).toBe(2000);
});

test('failures in a row wait longer, also when a connection opened in between', () => {
  const backoff = new Backoff(() => 1);
  expect(backoff.next(0)).toBe(250);
  backoff.opened(100);
  expect(backoff.next(200)).toBe(500);
  expect(backoff.next(300)).toBe(1000);
});

test('ten stable seconds start it from the beginning', () => {
  const backoff = new Backoff(() => 1);
  backoff.next(0);
  backoff.next(0);
  backoff.opened(1000);
  expect(backoff.next(1000 + STABLE_MS)).toBe(250);
});

test('a drain is left at a random moment of its window', () => {
  expect(drainMs({ after_ms: 100, spread_ms: 1000 }, 0)).toBe(100);
  expect(drainMs({ after_ms: 100, spread_ms: 1000 }, 0.5)).toBe(600);
});
