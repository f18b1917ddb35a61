import { afterEach, expect, test, vi } from 'vitest';
import { order } from '../hub/samples';
import { acceptOrder } from './accept';
import { Row } from './row.svelte';

type Reply = { status: number; body: unknown } | 'lost';

/** Answers each request in turn and keeps what was asked. */
function server(...replies: Reply[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    asked.push(`${init.method} ${path}`);
    const reply = replies.shift() ?? 'lost';
    if (reply === 'lost') return Promise.reject(new TypeError('network'));
    return Promise.resolve(new Response(JSON.stringify(reply.body), { status: reply.status }));
  });
  return asked;
}

/** A clock that each wait moves on. */
function deps() {
  let now = 1_000_000;
  return { meId: 7, nowMs: () => now, wait: (ms: number) => ((now += ms), Promise.resolve()) };
}
afterEach(() => vi.unstubAllGlobals());

test('the press shows at once and success only when the server said so', async () => {
  server({ status: 200, body: { id: 5 } });
  const row = new Row(order(5));
  const outcome = acceptOrder(row, deps());
  expect(row.attempt.phase).toBe('accepting');
  await outcome;
  expect(row.attempt.phase).toBe('won');
});

test('a lost race says who and when', async () => {
  server({ status: 409, body: { code: 'taken', by: { id: 9, name: 'Vera' }, at_ms: 999_880 } });
  const row = new Row(order(5));
  await acceptOrder(row, deps());
  expect(row.attempt).toMatchObject({ phase: 'lost', why: 'taken', by: { name: 'Vera' }, taken_ms: 999_880, click_ms: 1_000_000 });
});

test('a second press while the first is under way asks nothing', async () => {
  const asked = server({ status: 200, body: {} });
  const row = new Row(order(5));
  await Promise.all([acceptOrder(row, deps()), acceptOrder(row, deps())]);
  expect(asked).toHaveLength(1);
});

test('a lost answer is asked for again, and the winner learns that he won', async () => {
  const asked = server('lost', 'lost', { status: 200, body: {} });
  const row = new Row(order(5));
  await acceptOrder(row, deps());
  expect(asked).toEqual(Array(3).fill('POST /api/orders/5/accept'));
  expect(row.attempt.phase).toBe('won');
});

test('after ten seconds the page only asks what happened and takes nothing', async () => {
  const asked = server(...Array<Reply>(11).fill('lost'), { status: 200, body: { status: 'open', executor: null } });
  const row = new Row(order(5));
  await acceptOrder(row, deps());
  expect(asked.at(-1)).toBe('GET /api/orders/5');
  expect(row.attempt).toMatchObject({ phase: 'lost', why: 'released' });
});

test('a server that is busy for a moment is asked again', async () => {
  server({ status: 503, body: { code: 'unavailable' } }, { status: 409, body: { code: 'frozen' } });
  const row = new Row(order(5));
  await acceptOrder(row, deps());
  expect(row.attempt).toMatchObject({ phase: 'lost', why: 'frozen' });
});

test('an order that left the board cannot be pressed', async () => {
  const asked = server();
  const row = new Row(order(5));
  row.gone = 'taken';
  await acceptOrder(row, deps());
  expect(asked).toEqual([]);
});

test('an order that was edited is not taken, and the next press takes it as it is now', async () => {
  const changes = { price: { from: 10_000, to: 8_000 } };
  const bodies: unknown[] = [];
  const replies = [new Response(JSON.stringify({ code: 'changed', changes, order: { ...order(5, 2), price: 8_000 } }), { status: 409 }), new Response('{}')];
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    bodies.push(JSON.parse(String(init.body)));
    return Promise.resolve(replies.shift());
  });
  vi.useFakeTimers();
  const row = new Row(order(5));
  await acceptOrder(row, deps());
  expect(row.attempt).toMatchObject({ phase: 'changed', changes });
  expect(row.order.price).toBe(8_000);
  // Pressed again in the same breath it is still the old one that was read.
  expect(row.seenVersion).toBe(1);
  vi.advanceTimersByTime(400);
  await acceptOrder(row, deps());
  expect(bodies).toEqual([{ version: 1 }, { version: 2 }]);
  expect(row.attempt.phase).toBe('won');
  vi.useRealTimers();
});
