// The board under somebody's hand.
import assert from 'node:assert/strict';
import { live, rowOf, scrolledTo } from './browser.mjs';

const PHONE = { width: 390, height: 844 };
const LIVE = 1_000;

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

async function editedMeanwhile({ server, browser }) {
  const customer = await server.user('customer', 10_000_000);
  const words = { en: /Edited while you were looking\. Price: ₽1,000 → ₽800, Executor gets: ₽900 → ₽720/, ru: /тем временем изменили\. Цена: 1.000.₽ → 800.₽, Исполнителю: 900.₽ → 720.₽/ };
  for (const lang of ['en', 'ru']) {
    const order = await server.post(customer, `Edited under the hand ${lang}`);
    const page = await browser.tab(await browser.person(await server.user('executor'), { lang }), '/', [/status of 409/]);
    await live(page);
    const row = page.locator(`[data-row="${order.id}"]`);
    // The edit overtakes the press on the wire.
    await page.route(`**/api/orders/${order.id}/accept`, async (route) => {
      await server.api(customer, 'PATCH', `/api/orders/${order.id}`, { version: order.version, price: 80_000 });
      await route.continue();
    }, { times: 1 });
    await row.locator('[data-accept]').click();
    assert.match(await row.locator('[data-changed]').innerText(), words[lang]);
    await browser.shot(page, `edited-meanwhile-${lang}`);
    // Offered anew, for what it is now; a press in the same breath is for what was read before.
    await page.waitForTimeout(400);
    await row.locator('[data-accept]').click();
    await row.locator('[data-won]').waitFor();
    const { price, status } = await server.api(customer, 'GET', `/api/orders/${order.id}`);
    assert.deepEqual([price, status], [80_000, 'in_work']);
  }
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

async function filtering({ server, browser }) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  const cheap = await server.post(customer, 'Filtered lamp, cheap', { price: 50_000 });
  const dear = await server.post(customer, 'Filtered lamp, dear', { price: 300_000, description: 'Made of porcelain.' });
  const chosen = await server.post(customer, 'Filtered lamp, by choice', { price: 200_000, assignment: 'chosen' });
  const row = (page, order) => page.locator(`[data-row="${order.id}"]`);
  const home = await browser.person(executor);
  const page = await browser.tab(home, '/?q=lamp');
  await live(page);
  await Promise.all([cheap, dear, chosen].map((order) => row(page, order).waitFor()));

  await page.locator('[data-open-filters]').click();
  await page.locator('[data-bound="price_min"]').fill('1500');
  await page.keyboard.press('Tab');
  await row(page, cheap).waitFor({ state: 'detached' });
  await page.locator('[data-sort]').selectOption('price');
  await page.waitForFunction(([first, second]) => [...document.querySelectorAll('[data-row]')].map((one) => one.dataset.row).join() === `${first},${second}`, [dear.id, chosen.id]);
  await page.locator('[data-assignment]').selectOption('chosen');
  await row(page, dear).waitFor({ state: 'detached' });
  const { searchParams } = new URL(page.url());
  assert.deepEqual(Object.fromEntries(searchParams), { q: 'lamp', price_min: '1500', sort: 'price', assignment: 'chosen' });
  await browser.shot(page, 'board-filters');
  assert.deepEqual(await browser.accessible(page, 'board-filters'), []);

  // What comes meanwhile and fits is told of; what does not is not.
  await server.post(customer, 'Filtered lamp, too late', { price: 100_000, assignment: 'chosen' });
  await row(page, chosen).hover();
  await server.post(customer, 'Filtered lamp, just in time', { price: 250_000, assignment: 'chosen' });
  await page.locator('[data-new="1"]').waitFor();
  await page.keyboard.press('n');
  await rowOf(page, 'just in time').waitFor();
  assert.equal(await rowOf(page, 'too late').count(), 0);

  await page.locator('[data-saved-name]').fill('Lamps to choose');
  await page.keyboard.press('Enter');
  await page.locator('[data-tell-me]').click();
  await page.locator('[data-toast="success"]').filter({ hasText: /from ₽1,500/ }).waitFor();
  const { items } = await server.api(executor, 'GET', '/api/subscriptions');
  assert.deepEqual(items.map(({ category, price_min }) => [category, price_min]), [['all', 150_000]]);
  await page.locator('[data-clear]').click();
  await scrolledTo(page, row(page, cheap));

  // In another tab, from the address alone and from what was saved; on a phone's width with everything in reach.
  const other = await browser.tab(home, '/?payout_max=600&q=lamp');
  await other.locator('[data-chip="payout_max"]').waitFor();
  await row(other, cheap).waitFor();
  assert.equal(await row(other, dear).count(), 0);
  await other.setViewportSize(PHONE);
  await other.locator('[data-open-filters]').click();
  await browser.shot(other, 'board-filters-phone');
  assert.ok(!(await other.evaluate(() => document.documentElement.scrollWidth > innerWidth)), 'wider than a phone');
  await other.locator('[data-saved="Lamps to choose"] button').first().click();
  await rowOf(other, 'just in time').waitFor();
  await row(other, cheap).waitFor({ state: 'detached' });
  // Words of a description, and other forms of a word, are the server's to know.
  const third = await browser.tab(home, '/?q=porcelain');
  await row(third, dear).waitFor();
  await row(third, dear).locator('[data-not-live]').or(row(third, dear).locator('[data-accept]')).first().waitFor();
}

/** A rule that cannot be read says so beside its field, and the last one that could stays in force. */
async function wrongSums({ server, browser }) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  const cheap = await server.post(customer, 'Sums of money, cheap', { price: 50_000 });
  const dear = await server.post(customer, 'Sums of money, dear', { price: 300_000 });
  const words = {
    en: { malformed: /Not a sum\. Write it like 1,234\.50\. Still in force: ₽1,500\./, large: /^Too large for a sum\. Write fewer digits\.$/ },
    ru: { malformed: /Это не сумма\. Напишите так: 1\s234,50\. По-прежнему действует: 1\s500\s₽\./, large: /^Слишком много для суммы\. Напишите меньше цифр\.$/ },
  };
  for (const lang of ['en', 'ru']) {
    const page = await browser.tab(await browser.person(executor, { lang, viewport: lang === 'ru' ? PHONE : undefined }), '/?q=sums');
    await live(page);
    const row = (order) => page.locator(`[data-row="${order.id}"]`);
    const field = (which) => page.locator(`[data-bound="${which}"]`);
    const write = async (which, text) => {
      await field(which).fill(text);
      await page.keyboard.press('Tab');
    };
    /** What stands beside the field, found as a screen reader finds it. */
    const note = async (which) => {
      await page.locator(`[data-bound="${which}"][aria-invalid="true"]`).waitFor();
      return page.locator(`#${await field(which).getAttribute('aria-describedby')}`).innerText();
    };
    await row(cheap).waitFor();
    await page.locator('[data-open-filters]').click();
    await write('price_min', '1500');
    await row(cheap).waitFor({ state: 'detached' });
    await write('price_min', 'about 100');
    assert.match(await note('price_min'), words[lang].malformed);
    await write('payout_max', '99999999999999999');
    assert.match(await note('payout_max'), words[lang].large);
    assert.equal(await field('price_min').inputValue(), 'about 100', 'what was written is still there to be corrected');
    assert.equal(new URL(page.url()).searchParams.get('price_min'), '1500');
    assert.deepEqual([await row(dear).count(), await row(cheap).count()], [1, 0]);
    assert.deepEqual(await browser.accessible(page, `board-wrong-sum-${lang}`), []);
    await browser.shot(page, `board-wrong-sum-${lang}`);
    assert.ok(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), 'wider than the screen');
    await write('price_min', '100');
    await row(cheap).waitFor();
    assert.equal(await field('price_min').getAttribute('aria-invalid'), 'false');
    await page.locator('[data-clear]').click();
    await page.locator('[data-bound="payout_max"][aria-invalid="false"]').waitFor();
    assert.equal(await field('payout_max').inputValue(), '');
  }
}

async function behindTheWindow({ server, browser }) {
  const customer = await server.user('customer', 1_000_000_000);
  const executor = await server.user('executor');
  const oldest = await server.post(customer, 'Behind the live thousand', { price: 77_700 });
  for (let made = 0; made < LIVE + 20; made += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => server.post(customer, `In front of it ${made + i}`)));
  }
  const page = await browser.tab(await browser.person(executor), '/');
  await live(page);
  await page.locator('[data-row]').first().waitFor();
  const row = page.locator(`[data-row="${oldest.id}"]`);
  for (let i = 0; i < 40 && (await row.count()) === 0; i++) {
    await page.locator('[data-list]').evaluate((list) => list.scrollTo({ top: list.scrollHeight }));
    await page.waitForTimeout(100);
  }
  await scrolledTo(page, row);
  await row.locator('[data-not-live]').waitFor();
  await browser.shot(page, 'board-behind-the-window');
  await row.locator('[data-accept]').click();
  await row.locator('[data-won]').waitFor();

  // A filter that none of the live ones fits finds what lies behind them.
  await server.api(executor, 'POST', `/api/orders/${oldest.id}/abandon`, {});
  const filtered = await browser.tab(await browser.person(null), '/?price_min=777&price_max=777');
  await filtered.locator(`[data-row="${oldest.id}"] [data-not-live]`).waitFor();
}

export const tests = [
  { name: 'no row moves under the pointer until its owner asks', run: nothingMoves },
  { name: 'a lost race says by whom, when and by how much', run: lostRace },
  { name: 'an order that was edited says what has changed and is offered anew', run: editedMeanwhile },
  { name: 'an accept whose answer was lost is asked again and found won', run: lostAnswer },
  { name: 'an order is found and taken by keyboard alone', run: keyboardOnly },
  { name: 'an empty filter offers to be cleared', run: filters },
  { name: 'filters live in the address, are saved and subscribed to', run: filtering },
  { name: 'a filter’s sum that cannot be read says so, and the last one stays in force', run: wrongSums },
  { name: 'behind the live thousand the board goes on', run: behindTheWindow },
];
