// One order from the form to the money, seen by everybody it concerns, with no page loaded twice.
import assert from 'node:assert/strict';
import { live, mark, rowOf, stillMarked } from './browser.mjs';
import { until } from './server.mjs';

const SOCKETS_MS = 20_000;

async function postByForm(page, title, price) {
  await page.locator('#title').fill(title);
  await page.locator('#price').fill(price);
  // The quote is the server's: the other side fills itself.
  await page.waitForFunction(() => document.querySelector('#payout')?.value !== '');
  await page.locator('form button:not([type="button"])').click();
  await page.waitForURL('**/orders/mine');
}

async function wholeLife({ server, browser }) {
  const title = 'Whole life of an order';
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const before = await server.metric('orderboard_sockets');

  const home = await browser.person(customer);
  const mine = await browser.tab(home, '/orders/new');
  await live(mine);
  const office = await browser.person(executor);
  const first = await browser.tab(office, '/');
  const second = await browser.tab(office, '/');
  await Promise.all([live(first), live(second)]);
  await Promise.all([mine, first, second].map(mark));
  await until('two people have two sockets for three tabs', SOCKETS_MS, async () =>
    (await server.metric('orderboard_sockets')) === before + 2);

  const purse = mine.locator('header [data-balance="wallet"]');
  const full = await purse.innerText();
  await postByForm(mine, title, '1000');
  const card = mine.locator('[data-order]').filter({ hasText: title });
  await card.locator('[data-status="open"]').waitFor();
  await mine.waitForFunction((was) => document.querySelector('header [data-balance]')?.innerText !== was, full);
  await Promise.all([rowOf(first, title).waitFor(), rowOf(second, title).waitFor()]);
  await browser.shot(second, 'board-with-the-new-order');

  await rowOf(first, title).locator('[data-accept]').click();
  await rowOf(first, title).locator('[data-won]').waitFor();
  await rowOf(second, title).waitFor({ state: 'detached' });
  await card.locator('[data-status="in_work"]').waitFor();
  assert.equal(await server.metric('orderboard_sockets'), before + 2);

  await second.locator('header nav a[href="/contracts"]').click();
  const job = second.locator('[data-order]').filter({ hasText: title });
  await job.locator('[data-act="submit"]').click();
  await second.locator('dialog[open] textarea').fill('Done as asked.');
  await second.locator('dialog[open] [data-yes]').click();
  await card.locator('[data-status="submitted"]').waitFor();
  await browser.shot(mine, 'customer-has-to-confirm');

  const earned = second.locator('header [data-balance="earnings"]');
  const empty = await earned.innerText();
  await card.locator('[data-act="confirm"]').click();
  await mine.locator('dialog[open] [data-yes]').click();
  await card.locator('[data-status="done"]').waitFor();
  await job.locator('[data-status="done"]').waitFor();
  await second.waitForFunction((was) => document.querySelector('header [data-balance]')?.innerText !== was, empty);
  for (const page of [mine, first, second]) assert.ok(await stillMarked(page), 'a page was loaded again');
}

async function topUp({ server, browser }) {
  const customer = await server.user('customer');
  const home = await browser.person(customer);
  const page = await browser.tab(home, '/balance');
  await live(page);
  await page.locator('#topup').fill('1234.50');
  await page.locator('form button:not([type="button"])').click();
  await page.waitForURL('**/sandbox/robokassa?*');
  const link = page.url();
  await page.locator('[data-pay]').click();
  // Over the shop's own addresses: told of the money by the gateway's server, sent back through the browser.
  await page.waitForURL('**/balance?*payment=success');
  await page.locator('[data-payment="received"]').waitFor();
  await page.locator('[data-entry="topup"]').waitFor();
  assert.match(await page.locator('[data-account="wallet"] [data-available]').innerText(), /1,234\.50/);
  await browser.shot(page, 'balance-after-top-up');

  await page.locator('#topup').fill('77');
  await page.locator('form button:not([type="button"])').click();
  await page.locator('[data-decline]').click();
  await page.locator('[data-payment="failed"]').waitFor();
  await page.locator('[data-entries]').waitFor();
  assert.equal(await page.locator('[data-entry="topup"]').count(), 1);
  await browser.shot(page, 'balance-after-a-payment-that-was-not-made');

  // Nobody declined it for good: the same link pays, and a page that only looks sees the money arrive.
  const onlooker = await browser.tab(home, '/balance');
  await live(onlooker);
  await page.locator('[data-again]').click();
  await page.locator('[data-pay]').click();
  await page.locator('[data-payment="received"]').waitFor();
  await onlooker.locator('[data-account="wallet"] [data-available]').filter({ hasText: '1,311.50' }).waitFor();
  await page.locator('[data-hide]').click();
  await page.locator('[data-payment]').waitFor({ state: 'detached' });

  // A gateway knows the link and nobody's session; paying a paid link again moves nothing.
  const stranger = await browser.tab(await browser.person(null), new URL(link).pathname + new URL(link).search);
  await stranger.locator('[data-pay]').click();
  await stranger.waitForURL('**/login?*');
  assert.match(await onlooker.locator('[data-account="wallet"] [data-available]').innerText(), /1,311\.50/);
}

async function poorCustomer({ server, browser }) {
  const customer = await server.user('customer');
  const home = await browser.person(customer);
  const page = await browser.tab(home, '/orders/new', [/status of 409/]);
  await live(page);
  await page.locator('#title').fill('More than I have');
  await page.locator('#payout').fill('5000');
  await page.locator('[data-short]').waitFor();
  await page.locator('form button:not([type="button"])').click();
  await page.locator('[data-problem="insufficient_funds"]').waitFor();
  await page.locator('[data-problem] a[href="/balance"]').click();
  await page.locator('#topup').waitFor();
}

export const tests = [
  { name: 'an order lives from the form to the money on three tabs and two sockets', run: wholeLife },
  { name: 'a top-up is paid in the test bank and seen on the balance', run: topUp },
  { name: 'a customer without money is told what is missing and where to get it', run: poorCustomer },
];
