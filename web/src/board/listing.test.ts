import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { order } from '../hub/samples';
import { EVERYTHING } from './filter';
import { Listing } from './listing.svelte';
import { BoardView } from './view.svelte';

type Order = ReturnType<typeof order>;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Answers one page after the other and keeps what was asked. */
function server(...pages: { items: Order[]; next: string | null }[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path);
    return Promise.resolve(new Response(JSON.stringify(pages.shift() ?? { items: [], next: null })));
  });
  return asked;
}

function board(...orders: Order[]): { view: BoardView; listing: Listing } {
  const view = new BoardView();
  view.open('all');
  view.receive({ kind: 'snapshot', boot: 'b', board: 'all', orders });
  view.flush();
  return { view, listing: new Listing(view) };
}

const ids = ({ rows }: Listing) => rows.map((row) => row.id);
const priced = (id: number, price: number, title = `lamp ${id}`): Order => ({ ...order(id, 1, title), price });
const settled = () => vi.advanceTimersByTimeAsync(300);

test('without a filter the lines are the live ones and nobody is asked', async () => {
  const asked = server();
  const { view, listing } = board(order(2), order(1));
  listing.change(EVERYTHING);
  await settled();
  expect(listing.rows).toBe(view.rows);
  expect(asked).toEqual([]);
  expect(listing.hasMore).toBe(false);
});

test('a search shows what fits at once, and adds what the server knows', async () => {
  const asked = server({ items: [order(9), order(5)], next: null });
  const { listing } = board(priced(9, 100), order(8), priced(7, 100));
  listing.change({ ...EVERYTHING, text: 'lamp' });
  expect(ids(listing)).toEqual([9, 7]);
  await settled();
  expect(asked).toEqual(['/api/orders?q=lamp&list=open&limit=50']);
  expect(ids(listing)).toEqual([9, 7, 5]);
  expect(listing.rows.map((row) => row.from)).toEqual(['board', 'board', 'search']);
});

test('a live line that the server finds by its description is shown as live', async () => {
  server({ items: [order(8), order(7)], next: null });
  const { listing } = board(priced(9, 100), { ...order(8), category: 'repair' }, order(7));
  listing.change({ ...EVERYTHING, text: 'porcelain', category: 'repair' });
  expect(ids(listing)).toEqual([]);
  await settled();
  expect(ids(listing)).toEqual([8]);
  expect(listing.rows[0]?.from).toBe('board');
});

test('while there is more, nothing stands beyond the last line that the server has told', async () => {
  server({ items: [priced(3, 500), priced(1, 400)], next: '400-1' }, { items: [priced(4, 200)], next: null });
  const { listing } = board(priced(9, 450), priced(8, 300));
  listing.change({ ...EVERYTHING, sort: 'price' });
  await settled();
  expect(ids(listing)).toEqual([3, 9, 1]);
  listing.more();
  await settled();
  expect(ids(listing)).toEqual([3, 9, 1, 8, 4]);
});

test('typing asks once, when it rests', async () => {
  const asked = server();
  const { listing } = board();
  for (const text of ['l', 'la', 'lam', 'lamp']) listing.change({ ...EVERYTHING, text });
  expect(listing.resting).toBe(true);
  await settled();
  expect(asked).toHaveLength(1);
  expect(listing.resting).toBe(false);
});

test('behind a full window the pages begin where the live lines end', async () => {
  const asked = server({ items: [order(4), order(3)], next: null });
  const { listing } = board(...Array.from({ length: 1000 }, (_, i) => order(1004 - i)));
  listing.change(EVERYTHING);
  expect(listing.hasMore).toBe(true);
  listing.more();
  await settled();
  expect(asked).toEqual(['/api/orders?list=open&limit=50&cursor=5']);
  expect(ids(listing).slice(-3)).toEqual([5, 4, 3]);
  expect(listing.hasMore).toBe(false);
});

test('a page that did not arrive is asked for once more, where it was', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path);
    return asked.length === 1 ? Promise.reject(new TypeError('network')) : Promise.resolve(new Response(JSON.stringify({ items: [order(4)], next: null })));
  });
  const { listing } = board(...Array.from({ length: 1000 }, (_, i) => order(1004 - i)));
  listing.change(EVERYTHING);
  listing.more();
  await settled();
  expect(listing.found.failed).not.toBeNull();
  listing.more();
  expect(asked).toHaveLength(1);
  await listing.found.retry();
  expect(asked[1]).toBe(asked[0]);
  expect(ids(listing).at(-1)).toBe(4);
});

test('what was found is not live, but what the live board says of it is applied', async () => {
  server({ items: [order(5), order(4)], next: null });
  const { listing } = board(order(9));
  listing.change({ ...EVERYTHING, text: 'order' });
  await settled();
  listing.hear({ kind: 'diff', board: 'all', up: [{ ...order(5, 2), price: 7 }], rm: [[4, 'taken']] });
  expect(listing.rows.find((row) => row.id === 5)?.order.price).toBe(7);
  expect(listing.rows.find((row) => row.id === 4)?.gone).toBe('taken');
  listing.found.settle(true);
  expect(ids(listing)).toEqual([9, 5]);
});
