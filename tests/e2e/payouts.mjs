// Withdrawals from the form to the decision, the history behind them, and one balance for those who want it.
import assert from 'node:assert/strict';
import { live, mark, stillMarked } from './browser.mjs';
import { until } from './server.mjs';

const WAIT_MS = 20_000;

/** Somebody who has earned 900.00 by one order. */
async function earner(server, title) {
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const order = await server.post(customer, title, { acceptance: 'auto' });
  await server.api(executor, 'POST', `/api/orders/${order.id}/accept`, {});
  await server.api(executor, 'POST', `/api/orders/${order.id}/submit`, {});
  return { customer, executor, order };
}

async function ask(page, amount, destination) {
  await page.locator('#payout-amount').fill(amount);
  await page.locator('#payout-destination').fill(destination);
  await page.locator('[data-payout-form] button:not([type="button"])').click();
}

async function decided({ server, browser }) {
  const { executor, order } = await earner(server, 'Earned for a withdrawal');
  const admin = await server.user('admin');
  const page = await browser.tab(await browser.person(executor), '/balance');
  await live(page);
  await page.locator('[data-payouts-link]').click();
  await page.locator('#payout-method option').first().waitFor({ state: 'attached' });
  await mark(page);

  // More than there is, and less than the smallest, are told before anything is sent.
  const go = page.locator('[data-payout-form] button:not([type="button"])');
  for (const wrong of ['5000', '1']) {
    await page.locator('#payout-amount').fill(wrong);
    await page.locator('#payout-amount-note').waitFor();
    assert.ok(await go.isDisabled());
  }
  for (const [amount, where] of [['300', '2200 1234 1234 5678'], ['200', '+7 900 000-00-00'], ['100', '+7 900 111-11-11']]) {
    await ask(page, amount, where);
    await page.locator('[data-payout]').filter({ hasText: where }).locator('[data-payout-status="created"]').waitFor();
  }
  const mine = (where) => page.locator('[data-payout]').filter({ hasText: where });
  await mine('111-11-11').locator('[data-cancel]').click();
  await page.locator('dialog[open] [data-yes]').click();
  await mine('111-11-11').locator('[data-payout-status="cancelled"]').waitFor();
  await browser.shot(page, 'withdrawals');

  const desk = await browser.tab(await browser.person(admin), '/admin/payouts');
  const card = desk.locator('[data-payout]').filter({ hasText: '2200 1234' });
  await card.locator('[data-more]').click();
  const source = card.locator('[data-source="payout"]');
  await source.waitFor();
  assert.match(await source.innerText(), /Earned for a withdrawal/);
  assert.equal(await source.locator(`a[href="/orders/${order.id}"]`).count(), 1);
  await browser.shot(desk, 'withdrawals-desk');
  assert.deepEqual(await browser.accessible(desk, 'withdrawals-desk-open'), []);
  await card.locator('[data-approve]').click();
  const dialog = desk.locator('dialog[open]');
  assert.match(await dialog.innerText(), /300\.00[\s\S]*2200 1234/);
  await dialog.locator('textarea').fill('Sent today.');
  await dialog.locator('[data-yes]').click();
  await card.locator('[data-payout-status="received"]').waitFor();
  // A rejection without a reason is not sent.
  const other = desk.locator('[data-payout]').filter({ hasText: '000-00-00' });
  await other.locator('[data-reject]').click();
  await dialog.locator('[data-yes]').click();
  assert.equal(await desk.locator('dialog[open]').count(), 1);
  await dialog.locator('textarea').fill('That number does not exist.');
  await dialog.locator('[data-yes]').click();
  await other.locator('[data-payout-status="rejected"]').waitFor();

  await mine('2200 1234').locator('[data-payout-status="received"]').waitFor();
  assert.match(await mine('2200 1234').innerText(), /Sent today\./);
  await mine('000-00-00').locator('[data-payout-status="rejected"]').waitFor();
  assert.match(await mine('000-00-00').innerText(), /That number does not exist\./);
  assert.ok(await stillMarked(page), 'the page was loaded again');
}

async function history({ server, browser }) {
  const { executor } = await earner(server, 'A line of the history');
  const wish = { amount: 10_000, method: 'card', destination: '2200 1234' };
  const payout = await server.api(executor, 'POST', '/api/payouts', wish);
  await server.api(executor, 'POST', `/api/payouts/${payout.id}/cancel`, {});
  const page = await browser.tab(await browser.person(executor), '/balance?account=earnings');
  const lines = page.locator('[data-entry]');
  await lines.nth(2).waitFor();
  assert.deepEqual(await lines.evaluateAll((all) => all.map((one) => one.dataset.entry)), ['release', 'hold', 'payout']);
  assert.match(await page.locator('[data-entry="payout"]').innerText(), /A line of the history/);

  await page.locator('[data-kind]').selectOption('payout');
  await until('only what was earned', WAIT_MS, async () => (await lines.count()) === 1);
  await page.reload();
  await lines.first().waitFor();
  assert.equal(await lines.count(), 1, 'the address keeps the filter');
  assert.equal(await page.locator('[data-kind]').inputValue(), 'payout');
  const today = await page.evaluate(() => {
    const now = new Date();
    return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
  });
  await page.locator('[data-from]').fill(today);
  await page.locator('[data-to]').fill(today);
  await until('today has it', WAIT_MS, async () => (await lines.count()) === 1 && new URL(page.url()).searchParams.get('to') === today);
  await browser.shot(page, 'history-filtered');
  await page.locator('[data-to]').fill('');
  await page.locator('[data-from]').fill('2099-01-01');
  await page.locator('[data-entries]').waitFor({ state: 'detached' });
  await page.locator('main button').filter({ hasText: 'Clear' }).first().click();
  await lines.nth(2).waitFor();

  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('[data-file]').click()]);
  assert.equal(download.suggestedFilename(), 'orderboard-earnings-RUB.csv');
  const text = await readAll(await download.createReadStream());
  assert.equal(text.trim().split('\r\n').length, 4);
  assert.ok(text.includes('A line of the history'));

  await page.locator('#moment').fill('2020-01-01T00:00');
  await page.locator('[data-then] button').click();
  await page.locator('[data-then-available]').filter({ hasText: '0.00' }).waitFor();
  await page.locator('#moment').fill(`${today}T23:59`);
  await page.locator('[data-then] button').click();
  await page.locator('[data-then-available]').filter({ hasText: '900.00' }).waitFor();
  assert.deepEqual(await browser.accessible(page, 'history'), []);
}

async function readAll(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

async function oneBalance({ server, browser }) {
  const { executor } = await earner(server, 'Earned before');
  const page = await browser.tab(await browser.person(executor), '/settings');
  await live(page);
  const box = page.locator('#sweeps');
  assert.equal(await box.isChecked(), false);
  await box.click();
  await page.locator('[data-sweep-now]').click();
  await page.locator('[data-sweep-now]').waitFor({ state: 'detached' });
  await page.reload();
  await page.locator('[data-sweep]').waitFor();
  await until('the setting stays', WAIT_MS, () => box.isChecked());
  const me = await server.api(executor, 'GET', '/api/me');
  const available = Object.fromEntries(me.accounts.map((one) => [one.account, one.available]));
  assert.deepEqual(available, { earnings: 0, wallet: 90_000 });
}

export const tests = [
  { name: 'a withdrawal is asked for, decided at the desk, and seen without a reload', run: decided },
  { name: 'the history is filtered by its address, told at a moment, and downloaded', run: history },
  { name: 'earnings flow into the wallet when somebody wants one balance', run: oneBalance },
];
