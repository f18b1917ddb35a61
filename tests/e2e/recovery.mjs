// What a page does when the server or its session goes away.
import assert from 'node:assert/strict';
import { live, mark, rowOf, stillMarked } from './browser.mjs';
import { until } from './server.mjs';

const BOARD_MS = 20_000;
const NETWORK = [/net::ERR/, /WebSocket connection/, /status of 50\d/];

/** The ids on the page and on the server, newest first, must be the same. */
async function boardIsRight(server, page) {
  await until('the page shows what the server has', BOARD_MS, async () => {
    const { orders } = await server.api(null, 'GET', '/api/board');
    const shown = await page.locator('[data-row]').evaluateAll((rows) =>
      rows.map((row) => [Number(row.getAttribute('aria-rowindex')), Number(row.dataset.row)]).sort((a, b) => a[0] - b[0]).map((one) => one[1]));
    // The list is virtual: what is mounted must be the beginning of the truth.
    return shown.length > 0 && shown.every((id, i) => id === orders[i]?.id);
  });
}

async function restart({ server, browser }, signal) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  const before = `Here before ${signal}`;
  await server.post(customer, before);
  const context = await browser.person(executor);
  const page = await browser.tab(context, '/', NETWORK);
  const twin = await browser.tab(context, '/', NETWORK);
  await Promise.all([live(page), live(twin)]);
  await rowOf(page, before).waitFor();
  await Promise.all([mark(page), mark(twin)]);

  await server.stop(signal);
  await page.locator('[data-link="reconnecting"], [data-link="stale"]').waitFor();
  assert.ok(await page.locator('[data-accept]').first().isDisabled(), 'Accept is on while the board is stale');
  await page.locator('[data-link="stale"]').waitFor();
  await browser.shot(page, `stale-after-${signal}`);

  await server.start();
  const title = `Posted after ${signal}`;
  await server.post(customer, title);
  await Promise.all([live(page), live(twin)]);
  await Promise.all([rowOf(page, title).waitFor(), rowOf(twin, title).waitFor()]);
  await boardIsRight(server, page);
  await rowOf(page, title).locator('[data-accept]').click();
  await rowOf(page, title).locator('[data-won]').waitFor();
  for (const one of [page, twin]) assert.ok(await stillMarked(one), 'the page was loaded again');
}

async function closedElsewhere({ server, browser }) {
  const executor = await server.user('executor');
  const page = await browser.tab(await browser.person(executor), '/settings', [/status of 401/]);
  await live(page);
  const { items } = await server.api(executor, 'GET', '/api/sessions');
  const current = items.find((one) => one.current) ?? items[0];
  await server.api(executor, 'DELETE', `/api/sessions/${current.id}`);
  await page.locator('header a[href="/login"]').waitFor();
}

async function signingInAndOut({ browser }) {
  const context = await browser.person(null);
  const page = await browser.tab(context, '/register', [/status of 401/]);
  const other = await browser.tab(context, '/');
  await live(other);
  const email = `person-${Date.now()}@example.org`;
  await page.locator('#name').fill('Vera Smith');
  await page.locator('#email').fill(email);
  await page.locator('#password').fill('correct horse');
  await page.locator('form button').click();
  await page.locator('header [data-balance="earnings"]').waitFor();
  // The other tab learns by itself.
  await other.locator('header [data-balance="earnings"]').waitFor();
  await page.locator('[popovertarget="account-menu"]').click();
  await page.locator('#account-menu button.item').click();
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
  await until('the socket went with its page', BOARD_MS, async () => (await server.metric('orderboard_sockets')) <= before);
}

export const tests = [
  { name: 'a page recovers by itself from a server that crashed', needsRestart: true, run: (kit) => restart(kit, 'SIGKILL') },
  { name: 'a page recovers by itself from a rolling restart', needsRestart: true, run: (kit) => restart(kit, 'SIGTERM') },
  { name: 'a browser without shared workers gets the same board from a hub in the page', run: withoutWorker },
  { name: 'a session closed elsewhere ends at once and asks to sign in', run: closedElsewhere },
  { name: 'signing in and out reaches every tab', run: signingInAndOut },
];
