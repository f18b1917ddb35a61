// What a page does when the network fails in each of the ways networks fail.
import assert from 'node:assert/strict';
import { live, rowOf } from './browser.mjs';
import { keepLog, logOf, NETWORK, noticed, recovered } from './oracle.mjs';
import { Proxy } from './proxy.mjs';

/** One and a half heartbeats of silence, and what a busy machine adds. */
const NOTICE_MS = 10_000;
/** A handshake that was lost is given up after 6 s; then a pause of the back-off. */
const RETRY_MS = 15_000;

/** After a black hole the browser offers requests every dead connection it has kept: up to six. */
const ANSWER_MS = 12_000;

let pages = 0;

/** An executor's page behind a network of its own, with an order on the board. */
async function behindProxy({ server, browser }, { worker }) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  const before = `Here before network ${++pages} failed`;
  await server.post(customer, before);
  const proxy = await Proxy.before(server);
  const context = await browser.person(executor);
  context.once('close', () => proxy.close());
  if (worker === 'without') await context.addInitScript(() => delete globalThis.SharedWorker);
  const page = await browser.tab(context, `${proxy.url}/`, NETWORK);
  await live(page);
  // Signed in, too: the page may begin as a guest's.
  await rowOf(page, before).locator('[data-accept]:enabled').waitFor();
  await keepLog(page);
  /** Something happens that the page may not hear of. */
  const meanwhile = async (what) => {
    const title = `${what} (${pages})`;
    await server.post(customer, title);
    return title;
  };
  return { server, proxy, context, page, meanwhile };
}

async function takes(page, title) {
  const began = performance.now();
  await rowOf(page, title).locator('[data-accept]').click();
  await rowOf(page, title).locator('[data-won]').waitFor({ timeout: ANSWER_MS });
  return ((performance.now() - began) / 1000).toFixed(1);
}

async function connectionsReset(kit, options) {
  const { server, proxy, page, meanwhile } = await behindProxy(kit, options);
  proxy.reset();
  await noticed(page, 2_000);
  const title = await meanwhile('Posted while connections were reset');
  await page.locator('[data-link="stale"]').waitFor();
  proxy.heal();
  await recovered('connections reset', server, [page], RETRY_MS);
  await takes(page, title);
  assert.ok((await logOf(page)).includes('stale'));
}

async function bytesSwallowed(kit, options) {
  const { server, proxy, page, meanwhile } = await behindProxy(kit, options);
  proxy.swallow();
  const title = await meanwhile('Posted into a black hole');
  await noticed(page, NOTICE_MS);
  // The next handshake falls into the hole, too.
  await page.locator('[data-link="stale"]').waitFor();
  proxy.heal();
  await recovered('a black hole without a reset', server, [page], RETRY_MS);
  console.log(`         an order taken after it: answered after ${await takes(page, title)} s`);
  await logOf(page);
}

async function cablePulled(kit) {
  const { server, proxy, page, meanwhile } = await behindProxy(kit, { worker: 'with' });
  // Too short to be noticed: what waited in the wire arrives, and nobody connects again.
  const accepted = await server.metric('orderboard_sockets');
  proxy.unplug();
  const moment = await meanwhile('Posted while the cable was out for a moment');
  proxy.heal();
  await rowOf(page, moment).waitFor();
  assert.deepEqual((await logOf(page)).filter((state) => !state.startsWith('live')), []);
  assert.equal(await server.metric('orderboard_sockets'), accepted);

  proxy.unplug();
  const title = await meanwhile('Posted while the cable was out');
  await noticed(page, NOTICE_MS);
  proxy.heal();
  await recovered('the cable back in', server, [page], RETRY_MS);
  await takes(page, title);
  await logOf(page);
}

async function slowNetwork(kit) {
  const { server, proxy, context, page, meanwhile } = await behindProxy(kit, { worker: 'with' });
  proxy.slow(700);
  const title = await meanwhile('Posted over a slow network');
  await rowOf(page, title).waitFor();
  await takes(page, title);
  // Slow is not dead: the page must not hang up on it.
  assert.deepEqual((await logOf(page)).filter((state) => !state.startsWith('live')), []);
  const second = await context.newPage();
  await second.goto(`${proxy.url}/`);
  await recovered('a second tab over 1.4 s there and back', server, [second], RETRY_MS);
}

async function offlineAndBack(kit) {
  const { server, proxy, context, page, meanwhile } = await behindProxy(kit, { worker: 'with' });
  await context.setOffline(true);
  proxy.reset();
  await page.locator('[data-link="offline"]').waitFor();
  await noticed(page, 1_000);
  const title = await meanwhile('Posted while the browser was offline');
  // Long enough for the pauses between attempts to have grown past what is allowed below.
  await page.waitForTimeout(12_000);
  proxy.heal();
  await context.setOffline(false);
  await recovered('the browser said it is online again', server, [page], 5_000);
  await takes(page, title);
  await logOf(page);
}

export const tests = [
  { name: 'a page recovers from connections that are reset', run: (kit) => connectionsReset(kit, { worker: 'with' }) },
  { name: 'a page without shared workers recovers from connections that are reset', run: (kit) => connectionsReset(kit, { worker: 'without' }) },
  { name: 'a page recovers from a network that swallows everything', run: (kit) => bytesSwallowed(kit, { worker: 'with' }) },
  { name: 'a page without shared workers recovers from a network that swallows everything', run: (kit) => bytesSwallowed(kit, { worker: 'without' }) },
  { name: 'a cable that is pulled and put back costs what was lost and no more', run: cablePulled },
  { name: 'a slow network is slow, not dead', run: slowNetwork },
  { name: 'a browser that comes online again does not sit out its pause', run: offlineAndBack },
];
