// How a page gets the board: what travels on its websocket.
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { live, rowOf } from './browser.mjs';

async function compressedSnapshot({ server, browser }) {
  const customer = await server.user('customer', 100_000_000);
  for (let i = 0; i < 30; i++) await server.post(customer, `Already there ${i}`);
  const context = await browser.person(null);
  // Playwright hears a page's sockets but not a shared worker's: here the hub is in the page.
  await context.addInitScript(() => delete globalThis.SharedWorker);
  const [sent, received] = [[], []];
  context.on('page', (page) => page.on('websocket', (socket) => {
    socket.on('framesent', ({ payload }) => sent.push(JSON.parse(payload)));
    socket.on('framereceived', ({ payload }) => received.push(payload));
  }));
  const page = await browser.tab(context, '/');
  await live(page);
  await rowOf(page, 'Already there 29').waitFor();
  await server.post(customer, 'Came as a diff');
  await rowOf(page, 'Came as a diff').waitFor();

  const watches = sent.filter((message) => message.type === 'watch');
  assert.deepEqual(watches, [{ type: 'watch', board: 'all', compress: 'gzip' }]);
  const packed = received.filter((payload) => typeof payload !== 'string');
  assert.equal(packed.length, 1, 'the board is one binary message');
  const text = gunzipSync(packed[0]);
  const snapshot = JSON.parse(text);
  assert.equal(snapshot.type, 'snapshot');
  assert.ok(snapshot.orders.some((order) => order.title === 'Already there 29'));
  assert.ok(packed[0].length * 3 < text.length, `${packed[0].length} of ${text.length} bytes`);
  const types = received.filter((payload) => typeof payload === 'string').map((payload) => JSON.parse(payload).type);
  assert.ok(types.includes('diff') && !types.includes('snapshot') && !types.includes('error'), types.join(' '));
}

export const tests = [
  { name: 'the board arrives compressed, as one binary message, and lives on by text', run: compressedSnapshot },
];
