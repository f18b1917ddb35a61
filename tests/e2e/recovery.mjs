// What a page does when the server or its session goes away.
import assert from 'node:assert/strict';
import { live, mark, rowOf, stillMarked } from './browser.mjs';
import { keepLog, logOf, NETWORK, noticed, proven, recovered } from './oracle.mjs';
import { RedisServer, Server, killable, until } from './server.mjs';

const SOCKET_MS = 20_000;
/** The pauses between attempts have grown by the time a server is back. */
const BACK_MS = 20_000;

async function restart({ server, browser }, signal) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  const before = `Here before ${signal}`;
  await server.post(customer, before);
  const context = await browser.person(executor);
  const page = await browser.tab(context, '/', NETWORK);
  const twin = await browser.tab(context, '/', NETWORK);
  await Promise.all([live(page), live(twin)]);
  for (const one of [page, twin]) await rowOf(one, before).locator('[data-accept]:enabled').waitFor();
  await Promise.all([page, twin].flatMap((one) => [mark(one), keepLog(one)]));

  await server.stop(signal);
  await noticed(page, 2_000);
  await page.locator('[data-link="stale"]').waitFor();
  await browser.shot(page, `stale-after-${signal}`);

  await server.start();
  const title = `Posted after ${signal}`;
  await server.post(customer, title);
  await recovered(`a server that was ended by ${signal}`, server, [page, twin], BACK_MS);
  await Promise.all([rowOf(page, title).waitFor(), rowOf(twin, title).waitFor()]);
  await rowOf(page, title).locator('[data-accept]').click();
  await rowOf(page, title).locator('[data-won]').waitFor();
  for (const one of [page, twin]) {
    assert.ok(await stillMarked(one), 'the page was loaded again');
    assert.ok((await logOf(one)).includes('stale'));
  }
}

/** A server of its own with a Redis that can be killed. */
async function redisKilled({ server: shared, browser }) {
  const redis = await RedisServer.start();
  const server = await Server.fresh(shared.binary, { REDIS_URL: redis.url });
  try {
    const customer = await server.user('customer', 10_000_000);
    const executor = await server.user('executor');
    await server.post(customer, 'Here before Redis died');
    const page = await browser.tab(await browser.person(executor), `${server.url}/`, NETWORK);
    await live(page);
    await rowOf(page, 'Here before Redis died').locator('[data-accept]:enabled').waitFor();
    await keepLog(page);
    await redis.kill();
    // Not by the bus, by the sweep: later, but it comes, and can be taken.
    const began = performance.now();
    await server.post(customer, 'Posted without Redis');
    await rowOf(page, 'Posted without Redis').waitFor();
    console.log(`         an order posted without Redis: seen after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    await rowOf(page, 'Posted without Redis').locator('[data-accept]').click();
    await rowOf(page, 'Posted without Redis').locator('[data-won]').waitFor();
    // Nothing moves under the pointer: it has to leave the list first.
    await page.mouse.move(0, 0);
    await redis.start();
    await server.post(customer, 'Posted with Redis back');
    await rowOf(page, 'Posted with Redis back').waitFor();
    await recovered('Redis back with nothing in it', server, [page], BACK_MS);
    assert.deepEqual((await logOf(page)).filter((state) => !state.startsWith('live')), [], 'the page lost its server');
  } finally {
    await server.dispose();
    await redis.kill();
  }
}

/** A MariaDB that dies with the power: what was seen stays, what is asked for is refused in words, and nothing has to be loaded again. */
async function databaseKilled({ server: shared, browser }) {
  const { server, database, dispose } = await killable(shared.binary);
  try {
    const customer = await server.user('customer', 1_000_000);
    const executor = await server.user('executor');
    const here = await server.post(customer, 'Here before MySQL died');
    const home = await browser.person(customer);
    const [board, form] = [await browser.tab(await browser.person(executor), `${server.url}/`, NETWORK), await browser.tab(home, `${server.url}/orders/new`, NETWORK)];
    await Promise.all([proven(board), live(form)]);
    const line = board.locator(`[data-row="${here.id}"]`);
    await line.locator('[data-accept]:enabled').waitFor();
    await form.locator('#title').fill('Ordered while MySQL was dead');
    await form.locator('#price').fill('1000');
    await form.waitForFunction(() => document.querySelector('#payout')?.value !== '');
    await Promise.all([mark(board), mark(form), keepLog(board)]);

    await database.kill();
    const send = form.locator('form button:not([type="button"])');
    await send.click();
    const refusal = form.locator('[data-problem="unavailable"]');
    await refusal.waitFor();
    assert.match(await refusal.innerText(), /briefly unavailable[\s\S]*Your data are safe\. Repeat in/);
    await browser.shot(form, 'mysql-dead-form');
    await line.locator('[data-accept]').click();
    await line.locator('[data-checking]').waitFor();
    await browser.shot(board, 'mysql-dead-board');
    // Nobody is sent to sign in because nobody could say who they are.
    const late = await browser.tab(home, `${server.url}/balance`, NETWORK);
    await late.locator('[data-unreachable]').waitFor();
    assert.equal(new URL(late.url()).pathname, '/balance');
    assert.deepEqual(await browser.accessible(late, 'mysql-dead'), []);
    await browser.shot(late, 'mysql-dead-balance');
    assert.deepEqual((await logOf(board)).filter((state) => !state.startsWith('live')), [], 'the board was lost with MySQL');

    await database.start();
    // Whatever the line says is true.
    await line.locator('[data-won], [data-result]').first().waitFor({ timeout: BACK_MS });
    const isWon = (await line.locator('[data-won]').count()) === 1;
    const now = await server.api(customer, 'GET', `/api/orders/${here.id}`);
    assert.deepEqual([now.status, now.executor?.id ?? null], isWon ? ['in_work', executor.user_id] : ['open', null]);
    console.log(`         an order pressed while MySQL was dead: ${isWon ? 'taken when it was back' : 'not taken, and said so'}`);
    await late.locator('[data-account="wallet"] [data-available]').filter({ hasText: '9,000.00' }).waitFor();
    await send.click();
    await form.waitForURL('**/orders/mine');
    const { items } = await server.api(customer, 'GET', '/api/orders?list=mine');
    assert.equal(items.filter((one) => one.title === 'Ordered while MySQL was dead').length, 1);
    await board.mouse.move(0, 0);
    const ordered = rowOf(board, 'Ordered while MySQL was dead');
    await ordered.locator('[data-accept]').click();
    await ordered.locator('[data-won]').waitFor();
    await board.mouse.move(0, 0);
    await server.post(customer, 'Posted with MySQL back');
    await rowOf(board, 'Posted with MySQL back').waitFor();
    await recovered('MySQL back', server, [board], BACK_MS);
    await late.locator('[data-account="wallet"] [data-available]').filter({ hasText: '7,000.00' }).waitFor();
    await late.locator('[data-account="wallet"] [data-held]').filter({ hasText: '3,000.00' }).waitFor();
    assert.deepEqual((await logOf(board)).filter((state) => !state.startsWith('live')), [], 'the board was lost with MySQL');
    for (const page of [board, form]) assert.ok(await stillMarked(page), 'a page was loaded again');
    await server.audit();
  } finally {
    await dispose();
  }
}

async function closedElsewhere({ server, browser }) {
  const executor = await server.user('executor');
  await server.post(await server.user('customer', 1_000_000), 'For a guest, too');
  const context = await browser.person(executor);
  const page = await browser.tab(context, '/settings', [/status of 401/]);
  const board = await browser.tab(context, '/', [/status of 401/]);
  await Promise.all([live(page), live(board)]);
  await rowOf(board, 'For a guest, too').locator('[data-accept]:enabled').waitFor();
  const { items } = await server.api(executor, 'GET', '/api/sessions');
  const current = items.find((one) => one.current) ?? items[0];
  await server.api(executor, 'DELETE', `/api/sessions/${current.id}`);
  for (const one of [page, board]) await one.locator('header a[href="/login"]').waitFor();
  // The board goes on, as a guest sees it.
  await board.locator('[data-accept]').first().waitFor({ state: 'detached' });
  await recovered('a session closed elsewhere', server, [board], BACK_MS);
}

async function signingInAndOut({ browser }) {
  const context = await browser.person(null);
  const page = await browser.tab(context, '/register', [/status of 401/]);
  const other = await browser.tab(context, '/');
  await live(other);
  // A tab that stands behind another draws a frame a second, and every press waits for some.
  await page.bringToFront();
  const email = `person-${Date.now()}@example.org`;
  await page.locator('#name').fill('Vera Smith');
  await page.locator('#email').fill(email);
  await page.locator('#password').fill('correct horse');
  await page.locator('form button').click();
  await page.locator('header [data-balance="earnings"]').waitFor();
  // The other tab learns by itself.
  await other.locator('header [data-balance="earnings"]').waitFor();
  await page.locator('[popovertarget="account-menu"]').click();
  await page.locator('#account-menu button.item').filter({ hasText: 'Sign out' }).click();
  await page.waitForURL('**/login');
  await other.locator('header a[href="/login"]').waitFor();

  await page.locator('#email').fill(email);
  await page.locator('#password').fill('wrong horse');
  await page.locator('form button').click();
  await page.locator('[data-problem="wrong_credentials"]').waitFor();
  await page.locator('#password').fill('correct horse');
  await page.locator('input[value="customer"]').check();
  await page.locator('form button').click();
  await page.locator('header [data-balance="wallet"]').waitFor();
}

async function withoutWorker({ server, browser }) {
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const context = await browser.person(executor);
  await context.addInitScript(() => delete globalThis.SharedWorker);
  const before = await server.metric('orderboard_sockets');
  const page = await browser.tab(context, '/');
  await live(page);
  const order = await server.post(customer, 'Seen without a worker');
  await page.locator(`[data-row="${order.id}"]`).waitFor();
  await page.close();
  await until('the socket went with its page', SOCKET_MS, async () => (await server.metric('orderboard_sockets')) === before);
}

export const tests = [
  { name: 'a page recovers by itself from a server that crashed', needsRestart: true, run: (kit) => restart(kit, 'SIGKILL') },
  { name: 'a page recovers by itself from a rolling restart', needsRestart: true, run: (kit) => restart(kit, 'SIGTERM') },
  { name: 'the board moves on when Redis is killed, and is proved when it is back', needsRestart: true, run: redisKilled },
  { name: 'the board stays and every press is answered in words while MySQL is dead, and goes on when it is back', needsRestart: true, run: databaseKilled },
  { name: 'a browser without shared workers gets the same board from a hub in the page', run: withoutWorker },
  { name: 'a session closed elsewhere ends at once and asks to sign in', run: closedElsewhere },
  { name: 'signing in and out reaches every tab', run: signingInAndOut },
];
