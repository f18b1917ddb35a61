// Many tabs and one hub: what happens when one of them, or the hub itself, is closed, frozen or killed.
import assert from 'node:assert/strict';
import { Browser, live, mark, rowOf, stillMarked } from './browser.mjs';
import { boardIsRight, keepLog, logOf, NETWORK, proven, recovered } from './oracle.mjs';
import { until } from './server.mjs';

const SOCKETS_MS = 20_000;
/** The worker's lock tells its end at once; a new one has to start, connect and be proved. */
const WORKER_MS = 5_000;

/** An executor's tabs on the board, all live. */
async function tabs({ server, browser }, count, worker = 'with') {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  await server.post(customer, 'Seen in every tab');
  const before = await server.metric('orderboard_sockets');
  const context = await browser.person(executor);
  if (worker === 'without') await context.addInitScript(() => delete globalThis.SharedWorker);
  const pages = [];
  for (let i = 0; i < count; i++) pages.push(await browser.tab(context, '/', NETWORK));
  // Signed in, too: a page may begin as a guest's.
  await Promise.all(pages.map((page) => page.locator('[data-accept]:enabled').first().waitFor()));
  await Promise.all(pages.map((page) => proven(page)));
  const sockets = async (expected) => {
    await until(`${expected} sockets for ${count} tabs`, SOCKETS_MS, async () => (await server.metric('orderboard_sockets')) === before + expected);
  };
  await sockets(1);
  return { customer, context, pages, sockets };
}

async function creatorClosed(kit) {
  const { server } = kit;
  const { customer, pages, sockets } = await tabs(kit, 3);
  const [creator, second, third] = pages;
  await Promise.all([second, third].map(keepLog));
  await creator.close();
  await server.post(customer, 'Posted after the first tab closed');
  for (const page of [second, third]) await rowOf(page, 'Posted after the first tab closed').waitFor();
  await sockets(1);
  for (const page of [second, third]) assert.deepEqual((await logOf(page)).filter((state) => !state.startsWith('live')), [], 'closing a tab shook the others');
  await second.close();
  await server.post(customer, 'Posted for the last tab');
  await rowOf(third, 'Posted for the last tab').waitFor();
  await third.close();
  await sockets(0);
}

async function loadedAgain(kit) {
  const { server } = kit;
  const { pages: [page], sockets } = await tabs(kit, 1);
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    await page.reload();
    await proven(page);
    const ms = performance.now() - began;
    console.log(`         the only tab loaded again: live and proved after ${(ms / 1000).toFixed(1)} s`);
    assert.ok(ms < WORKER_MS, `${ms} ms`);
  }
  await boardIsRight(server, page);
  await sockets(1);
}

/** The browser keeps the page as it was, wakes it, and its board is the present one. Without a shared worker, too. */
async function leftAndBack({ server }, { worker }) {
  // Playwright turns the cache of left pages off, people don't.
  const browser = await Browser.launch(server.url, process.env, ['--disable-back-forward-cache']);
  try {
    const { customer, pages: [page], sockets } = await tabs({ server, browser }, 1, worker);
    const gone = await server.post(customer, `Gone while the page was left ${worker} a worker`);
    await page.locator(`[data-row="${gone.id}"]`).waitFor();
    await mark(page);
    await keepLog(page);
    await page.evaluate(() => addEventListener('pageshow', ({ persisted }) => (globalThis.persisted = persisted)));
    // An answer that is no page, and a page of ours with a socket of its own.
    for (const [away, itsSockets] of [['/healthz', 0], ['/login', 1]]) {
      await page.goto(`${server.url}${away}`);
      if (itsSockets > 0) await live(page);
      await sockets(itsSockets);
      const title = `Posted while the page was left for ${away} ${worker} a worker`;
      await server.post(customer, title);
      if (away === '/healthz') await server.api(customer, 'POST', `/api/orders/${gone.id}/cancel`, {});
      const began = performance.now();
      // A page that was kept is not loaded: nothing more than its return can be waited for.
      await page.goBack({ waitUntil: 'commit' });
      await rowOf(page, title).locator('[data-accept]:enabled').waitFor();
      await proven(page);
      console.log(`         back from ${away} on a page that was kept: live and proved after ${((performance.now() - began) / 1000).toFixed(1)} s`);
      assert.equal(await page.evaluate(() => globalThis.persisted), true, 'the browser did not keep the page');
      assert.ok(await stillMarked(page), 'the page was loaded again');
      assert.equal(await page.locator(`[data-row="${gone.id}"]:not([data-gone])`).count(), 0, 'the board is of another time');
      await boardIsRight(server, page);
      await sockets(1);
    }
    // What it showed on the way back was never old with Accept on.
    await logOf(page);
    // The browser asks for that answer's icon, too.
    assert.deepEqual(browser.complaints.filter((one) => !one.startsWith('/healthz:')), []);
  } finally {
    await browser.close();
  }
}

async function frozen(kit) {
  const { server } = kit;
  const { customer, context, pages: [cold, warm], sockets } = await tabs(kit, 2);
  await mark(cold);
  const cdp = await context.newCDPSession(cold);
  await cdp.send('Page.setWebLifecycleState', { state: 'frozen' });
  const kept = await server.post(customer, 'Posted for a frozen tab');
  const gone = await server.post(customer, 'Came and went while it was frozen');
  await server.api(customer, 'POST', `/api/orders/${gone.id}/cancel`, {});
  await rowOf(warm, 'Posted for a frozen tab').waitFor();
  await cdp.send('Page.setWebLifecycleState', { state: 'active' });
  await cold.bringToFront();
  await cold.locator(`[data-row="${kept.id}"]`).waitFor();
  await recovered('a thawed tab', server, [cold], WORKER_MS);
  assert.equal(await cold.locator(`[data-row="${gone.id}"]`).count(), 0);

  // A main thread that stands still while it is looked at: everything waits for it, nothing is lost.
  await cdp.send('Debugger.enable');
  const paused = new Promise((resolve) => cdp.once('Debugger.paused', resolve));
  await cdp.send('Debugger.pause');
  await paused;
  for (let i = 0; i < 20; i++) await server.post(customer, `Posted while it stood still ${i}`);
  await cdp.send('Debugger.resume');
  await cdp.send('Debugger.disable');
  await rowOf(cold, 'Posted while it stood still 19').waitFor();
  await boardIsRight(server, cold);
  await sockets(1);
  assert.ok(await stillMarked(cold), 'the page was loaded again');
}

/** Ends this person's shared worker, as a browser short of memory does. */
async function killWorker(browser, page) {
  // One that was left a moment ago, when the page learned who it is, goes by itself.
  await until('one worker is left', SOCKETS_MS, async () => (await workers(browser, page)).length === 1);
  const [target] = await workers(browser, page);
  const cdp = await browser.chromium.newBrowserCDPSession();
  await cdp.send('Target.closeTarget', { targetId: target.targetId });
  await cdp.detach();
}

/** Playwright does not list shared workers; the browser does. */
async function workers(browser, page) {
  const own = await page.context().newCDPSession(page);
  const { targetInfo: { browserContextId } } = await own.send('Target.getTargetInfo');
  await own.detach();
  const cdp = await browser.chromium.newBrowserCDPSession();
  const { targetInfos } = await cdp.send('Target.getTargets');
  await cdp.detach();
  return targetInfos.filter((one) => one.type === 'shared_worker' && one.browserContextId === browserContextId);
}

async function workerKilled(kit) {
  const { server, browser } = kit;
  const { customer, pages, sockets } = await tabs(kit, 2);
  await Promise.all(pages.map(keepLog));
  await killWorker(browser, pages[0]);
  await Promise.all(pages.map((page) => page.waitForFunction(() => globalThis.linkLog.states.length > 1)));
  await recovered('a killed worker', server, pages, WORKER_MS);
  await server.post(customer, 'Posted after the worker was killed');
  for (const page of pages) await rowOf(page, 'Posted after the worker was killed').waitFor();
  await sockets(1);

  // One that keeps dying is not worth another try: each tab goes on with a hub of its own.
  await killWorker(browser, pages[0]);
  await sockets(2);
  await recovered('tabs whose worker keeps dying', server, pages, WORKER_MS);
  assert.equal((await workers(browser, pages[0])).length, 0);
  await rowOf(pages[0], 'Posted after the worker was killed').locator('[data-accept]').click();
  await rowOf(pages[0], 'Posted after the worker was killed').locator('[data-won]').waitFor();
  await rowOf(pages[1], 'Posted after the worker was killed').waitFor({ state: 'detached' });
  for (const page of pages) await logOf(page);
}

async function newBuild(kit) {
  const { server, browser } = kit;
  const { pages: [page], context } = await tabs(kit, 1);
  await mark(page);
  // The server that answers after the interruption has another first page: another script starts it.
  await context.route(`${server.url}/`, async (route) => {
    if (route.request().resourceType() !== 'fetch') return route.continue();
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replace(/\/assets\/index-[^"]+\.js/, '/assets/index-newer.js') });
  });
  await killWorker(browser, page);
  const offer = page.locator('[data-toast="info"] [data-toast-action]');
  await offer.waitFor();
  await browser.shot(page, 'new-build');
  assert.ok(await stillMarked(page), 'nobody is reloaded without asking');
  await live(page);
  await offer.click();
  await page.waitForFunction(() => globalThis.orderboardMark !== true);
  await live(page);
}

export const tests = [
  { name: 'three tabs have one socket, and keep it when the tab that opened it closes', run: creatorClosed },
  { name: 'a tab that is loaded again is live at once', run: loadedAgain },
  { name: 'a page that was left is kept by the browser, and live when somebody comes back', run: (kit) => leftAndBack(kit, { worker: 'with' }) },
  { name: 'a page that was left is kept without shared workers, too, and live when somebody comes back', run: (kit) => leftAndBack(kit, { worker: 'without' }) },
  { name: 'a tab that was frozen or stood still shows the present', run: frozen },
  { name: 'a worker that was killed is replaced at once, one that keeps dying is done without', run: workerKilled },
  { name: 'a page that outlived its build offers to reload', run: newBuild },
];
