// The board under somebody's hand.
import assert from 'node:assert/strict';
import { live, rowOf } from './browser.mjs';

async function nothingMoves({ server, browser }) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  const rival = await server.user('executor');
  const kept = await server.post(customer, 'Kept under the pointer');
  const taken = await server.post(customer, 'Taken by a rival meanwhile');
  const page = await browser.tab(await browser.person(executor), '/');
  await live(page);
  const row = page.locator(`[data-row="${kept.id}"]`);
  await row.hover();
  const place = await row.boundingBox();

  await server.post(customer, 'Arrived meanwhile');
  await server.api(rival, 'POST', `/api/orders/${taken.id}/accept`, {});
  await page.locator('[data-new="1"]').waitFor();
  const gone = page.locator(`[data-row="${taken.id}"][data-gone="taken"]`);
  await gone.waitFor();
  assert.ok(await gone.locator('button').isDisabled(), 'a taken order can still be pressed');
  assert.deepEqual(await row.boundingBox(), place, 'the row moved under the pointer');
  assert.equal(await rowOf(page, 'Arrived meanwhile').count(), 0);
  await browser.shot(page, 'board-held');

  await page.keyboard.press('n');
  await rowOf(page, 'Arrived meanwhile').waitFor();
  await gone.waitFor({ state: 'detached' });
}

async function lostRace({ server, browser }) {
  const customer = await server.user('customer', 1_000_000);
  const [executor, rival] = [await server.user('executor'), await server.user('executor')];
  const order = await server.post(customer, 'Wanted by two');
  const page = await browser.tab(await browser.person(executor), '/', [/status of 409/]);
  await live(page);
  const row = page.locator(`[data-row="${order.id}"]`);
  // The rival's request overtakes ours on the wire.
  await page.route(`**/api/orders/${order.id}/accept`, async (route) => {
    await server.api(rival, 'POST', `/api/orders/${order.id}/accept`, {});
    await route.continue();
  });
  await row.locator('[data-accept]').click();
  const line = await row.locator('[data-result]').innerText();
  assert.match(line, /^Taken by .+ at \d\d:\d\d:\d\d\.\d{3}, (\d+ ms (before you|after your click)|at the very moment)/);
  assert.equal(await page.locator('[data-announce="assertive"]').innerText().then((text) => text.includes('Wanted by two')), true);
  await browser.shot(page, 'race-lost');
}

async function lostAnswer({ server, browser }) {
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const order = await server.post(customer, 'Answer lost on the way');
  const page = await browser.tab(await browser.person(executor), '/', [/net::ERR/]);
  await live(page);
  let asked = 0;
  await page.route(`**/api/orders/${order.id}/accept`, async (route) => {
    asked += 1;
    if (asked > 1) return route.continue();
    // The server takes the order; its answer never arrives.
    await server.api(executor, 'POST', `/api/orders/${order.id}/accept`, {});
    return route.abort('connectionreset');
  });
  const row = page.locator(`[data-row="${order.id}"]`);
  await row.locator('[data-accept]').click();
  await row.locator('[data-won]').waitFor();
  assert.equal(asked, 2);
}

async function keyboardOnly({ server, browser }) {
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const order = await server.post(customer, 'Zebra crossing by keyboard');
  const page = await browser.tab(await browser.person(executor), '/');
  await live(page);
  await page.locator(`[data-row="${order.id}"]`).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('zebra');
  await page.waitForFunction(() => document.querySelectorAll('[data-row]').length === 1);
  assert.match(page.url(), /q=zebra/);
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.waitForFunction((id) => document.activeElement?.getAttribute('data-row') === String(id), order.id);
  await page.keyboard.press('a');
  await page.locator(`[data-row="${order.id}"] [data-won]`).waitFor();
  await page.keyboard.press('?');
  await page.locator('dialog[open]').waitFor();
}

async function filters({ server, browser }) {
  const customer = await server.user('customer', 1_000_000);
  await server.post(customer, 'Outside of every filter');
  const page = await browser.tab(await browser.person(null), '/?q=nothing-has-this-word');
  await page.locator('main h2').filter({ hasText: 'Nothing matches' }).waitFor();
  await page.locator('main button.btn-primary').click();
  await rowOf(page, 'Outside of every filter').waitFor();
  assert.equal(new URL(page.url()).search, '');
}

export const tests = [
  { name: 'no row moves under the pointer until its owner asks', run: nothingMoves },
  { name: 'a lost race says by whom, when and by how much', run: lostRace },
  { name: 'an accept whose answer was lost is asked again and found won', run: lostAnswer },
  { name: 'an order is found and taken by keyboard alone', run: keyboardOnly },
  { name: 'an empty filter offers to be cleared', run: filters },
];
