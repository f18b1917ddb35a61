// Orders' own pages: a contract's whole life, editing, applying and choosing, people.
import assert from 'node:assert/strict';
import { live } from './browser.mjs';

const PHONE = { width: 390, height: 844 };
/** What a page is asked in words, in both languages. */
const WORDS = {
  en: { held: /₽500\.00 more will be held/, free: /₽300\.00 will be free again/, moved: 'Price: ₽1,500 → ₽1,400', countdown: /Confirmed by itself in \d/, chosenFor: /The order is theirs for ₽1,200\.00, of which they get ₽1,100\.00/, undo: 'Undo' },
  ru: { held: /удержано ещё 500,00/, free: /снова станут доступны 300,00/, moved: 'Цена: 1 500 ₽ → 1 400 ₽', countdown: /Подтвердится сам через \d/, chosenFor: /будет выполнен за 1 200,00 ₽, из них исполнитель получит 1 100,00/, undo: 'Вернуть' },
};
/** Thin and hard spaces are typography, not content. */
const plain = (text) => text.replace(/[\u00a0\u202f\s]+/g, ' ').trim();
const yes = (page) => page.locator('dialog[open] [data-yes]').click();
const event = (page, name) => page.locator(`[data-timeline] [data-event="${name}"]`);

async function contractPages({ server, browser, lang }) {
  const [customer, executor] = [await server.user('customer', 1_000_000), await server.user('executor')];
  const order = await server.post(customer, 'Told from both sides', { price: 150_000, description: 'As it was asked for.' });
  const mine = await browser.tab(await browser.person(customer, { lang }), `/orders/${order.id}`);
  // An order on hold is not a stranger's to see.
  const theirs = await browser.tab(await browser.person(executor, { lang, theme: 'dark', viewport: PHONE }), `/orders/${order.id}`, [/status of 404/]);
  await Promise.all([live(mine), live(theirs)]);

  await mine.locator('[data-act="freeze"]').click();
  await mine.locator('[data-status="frozen"]').waitFor();
  await theirs.locator('[data-gone="frozen"]').waitFor();
  await mine.locator('[data-toast-action]').filter({ hasText: WORDS[lang].undo }).click();
  await mine.locator('[data-status="open"]').waitFor();
  await event(mine, 'unfrozen').waitFor();

  await theirs.locator('[data-accept]').click();
  await mine.locator('[data-status="in_work"]').waitFor();
  await event(theirs, 'taken').waitFor();
  await theirs.locator('[data-act="submit"]').click();
  await theirs.locator('dialog[open] textarea').fill('All done.\nLook at it.');
  await yes(theirs);
  await mine.locator('[data-report]').filter({ hasText: 'Look at it.' }).waitFor();
  assert.match(plain(await mine.locator('[data-countdown]').innerText()), WORDS[lang].countdown);

  await mine.locator('[data-act="reject"]').click();
  await mine.locator('dialog[open] textarea').fill('One thing is missing:\nthe long one.');
  await yes(mine);
  await theirs.locator('[data-reason]').filter({ hasText: 'the long one.' }).waitFor();
  await browser.shot(theirs, `order-sent-back-${lang}`);

  await theirs.locator('[data-act="dispute"]').click();
  await theirs.locator('dialog[open] textarea').fill('Nothing was missing.');
  await yes(theirs);
  await mine.locator('[data-disputed]').filter({ hasText: 'Nothing was missing.' }).waitFor();
  await event(mine, 'disputed').waitFor();
  assert.equal(await mine.locator('[data-act="confirm"], [data-act="reject"]').count(), 0);
  await browser.shot(mine, `order-disputed-${lang}`);
  assert.deepEqual([...(await browser.accessible(mine, `order-disputed-${lang}`)), ...(await browser.accessible(theirs, `order-disputed-phone-${lang}`))], []);

  const admin = await server.user('admin');
  await server.api(admin, 'POST', `/api/admin/orders/${order.id}/arbitrate`, { verdict: 'pay', comment: 'It was all there.' });
  await event(theirs, 'arbitrated').filter({ hasText: 'It was all there.' }).waitFor();
  await mine.locator('[data-status="done"]').waitFor();
  await mine.locator('[data-again]').click();
  await mine.waitForFunction(() => document.querySelector('#payout')?.value === '1350');
  assert.equal(await mine.locator('#title').inputValue(), 'Told from both sides');
}

async function editing({ server, browser, lang }) {
  const customer = await server.user('customer', 1_000_000);
  const order = await server.post(customer, 'Edited by two', { price: 150_000 });
  const page = await browser.tab(await browser.person(customer, { lang }), `/orders/${order.id}`, [/status of 409/]);
  await live(page);
  const purse = page.locator('header [data-balance="wallet"]');
  const before = await purse.innerText();
  await page.locator('[data-act="edit"]').click();
  await page.locator('#edit-price').fill('2000');
  await page.waitForFunction(() => document.querySelector('#edit-payout').value === '1800');
  assert.match(plain(await page.locator('[data-hold]').innerText()), WORDS[lang].held);
  await browser.shot(page, `order-edit-${lang}`);
  assert.deepEqual(await browser.accessible(page, `order-edit-${lang}`), []);
  // The other way round, and back below what is held.
  await page.locator('#edit-payout').fill('1080');
  await page.waitForFunction(() => document.querySelector('#edit-price').value === '1200');
  assert.match(plain(await page.locator('[data-hold]').innerText()), WORDS[lang].free);

  await server.api(customer, 'PATCH', `/api/orders/${order.id}`, { version: order.version, price: 140_000 });
  await page.locator('#edit-name').fill('Edited by two, twice');
  await page.locator('[data-save]').click();
  await page.locator('[data-different]').waitFor();
  assert.equal(plain(await page.locator('[data-different] li').first().innerText()), WORDS[lang].moved);
  assert.equal(await page.locator('#edit-name').inputValue(), 'Edited by two, twice');
  await browser.shot(page, `order-edit-changed-${lang}`);
  await page.waitForFunction(() => !document.querySelector('[data-save]').disabled);
  await page.locator('[data-save]').click();
  await page.locator('h1').filter({ hasText: 'twice' }).waitFor();
  await event(page, 'edited').nth(1).waitFor();
  await page.waitForFunction((was) => document.querySelector('header [data-balance]').innerText !== was, before);
  const now = await server.api(customer, 'GET', `/api/orders/${order.id}`);
  assert.deepEqual([now.price, now.payout, now.title], [120_000, 108_000, 'Edited by two, twice']);

  // Words alone are taken back by one press.
  await page.locator('[data-act="edit"]').click();
  await page.locator('#edit-name').fill('Edited by mistake');
  await page.locator('[data-save]').click();
  await page.locator('h1').filter({ hasText: 'by mistake' }).waitFor();
  await page.locator('[data-toast-action]').filter({ hasText: WORDS[lang].undo }).click();
  await page.locator('h1').filter({ hasText: 'Edited by two, twice' }).waitFor();
}

async function choosing({ server, browser, lang }) {
  const [customer, executor, other] = [await server.user('customer', 1_000_000), await server.user('executor'), await server.user('executor')];
  const order = await server.post(customer, `Chosen among two ${lang}`, { price: 100_000, assignment: 'chosen' });
  const mine = await browser.tab(await browser.person(customer, { lang }), `/orders/${order.id}`);
  const board = await browser.tab(await browser.person(executor, { lang, viewport: PHONE }), '/');
  await Promise.all([live(mine), live(board)]);
  await mine.locator('[data-applicants="0"]').waitFor();

  await board.locator(`[data-apply-for="${order.id}"]`).click();
  await board.locator('#apply-message').fill('I have done this before.');
  await board.locator('#apply-price').fill('2500');
  await board.locator('#apply-price-note').waitFor();
  assert.ok(await board.locator('[data-send]').isDisabled(), 'more than twice the price can be asked');
  await board.locator('#apply-price').fill('1200');
  await board.waitForFunction(() => document.querySelector('#apply-payout').value === '1100');
  await browser.shot(board, `apply-${lang}`);
  assert.deepEqual(await browser.accessible(board, `apply-${lang}`), []);
  await board.locator('[data-send]').click();
  await board.locator('[data-application="waiting"]').waitFor();
  await mine.locator(`[data-applicant="${executor.user_id}"]`).waitFor();

  // Taken back, and back again by the toast.
  await board.locator('[data-withdraw]').click();
  await mine.locator('[data-applicants="0"]').waitFor();
  await board.locator('[data-toast-action]').filter({ hasText: WORDS[lang].undo }).click();
  await board.locator('[data-application="waiting"]').waitFor();
  await server.api(other, 'POST', `/api/orders/${order.id}/apply`, { message: 'Me, too.' });
  await mine.locator('[data-applicants="2"]').waitFor();
  await browser.shot(mine, `applicants-${lang}`);
  assert.deepEqual(await browser.accessible(mine, `applicants-${lang}`), []);
  const narrow = await browser.tab(await browser.person(customer, { lang, theme: 'dark', viewport: PHONE }), `/orders/${order.id}`);
  await narrow.locator('[data-applicants="2"]').waitFor();
  await browser.shot(narrow, `applicants-phone-${lang}`);
  assert.ok(!(await narrow.evaluate(() => document.documentElement.scrollWidth > innerWidth)), 'wider than a phone');

  const loser = await browser.tab(await browser.person(other, { lang }), `/orders/${order.id}`, [/status of 404/]);
  await loser.locator('[data-application="waiting"]').waitFor();
  await mine.locator(`[data-choose="${executor.user_id}"]`).click();
  assert.match(plain(await mine.locator('dialog[open] p').innerText()), WORDS[lang].chosenFor);
  await browser.shot(mine, `choose-${lang}`);
  await yes(mine);
  await mine.locator('[data-status="in_work"]').waitFor();
  await event(mine, 'chosen').waitFor();
  await board.locator('[data-status="in_work"]').waitFor();
  await loser.locator('main h2').waitFor();
  await loser.locator('main a[href="/"]').waitFor();
  const accounts = await server.api(customer, 'GET', '/api/accounts');
  assert.equal((accounts.items ?? accounts).find((one) => one.account === 'wallet').held, 120_000);
}

async function people({ server, browser, lang }) {
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const order = await server.post(customer, `Shown in public ${lang}`, { acceptance: 'auto' });
  await server.api(executor, 'POST', `/api/orders/${order.id}/accept`, {});
  await server.api(executor, 'POST', `/api/orders/${order.id}/submit`, {});
  const open = await server.post(customer, `Still open ${lang}`);
  const page = await browser.tab(await browser.person(executor, { lang }), '/');
  await live(page);
  await page.locator(`[data-row="${open.id}"] [data-person]`).click();
  await page.locator(`[data-profile="${customer.user_id}"]`).waitFor();
  await page.locator(`[data-open-order="${open.id}"]`).waitFor();
  const fresh = await server.post(customer, `And another one ${lang}`);
  await page.locator(`[data-open-order="${fresh.id}"]`).waitFor();
  await server.api(customer, 'POST', `/api/orders/${open.id}/cancel`, {});
  await page.locator(`[data-open-order="${open.id}"][data-gone="cancelled"]`).waitFor();
  assert.match(plain(await page.locator('main').innerText()), lang === 'en' ? /Orders posted 2/ : /Создано заказов 2/);
  await browser.shot(page, `person-${lang}`);
  assert.deepEqual(await browser.accessible(page, `person-${lang}`), []);
  const narrow = await browser.tab(await browser.person(null, { lang, theme: 'dark', viewport: PHONE }), `/people/${executor.user_id}`);
  await narrow.locator('[data-profile]').waitFor();
  await browser.shot(narrow, `person-phone-${lang}`);
}

/** From the first key to the order on the board, without a pointer. */
async function postedByKeys({ server, browser, lang }) {
  const customer = await server.user('customer', 1_000_000);
  const home = await browser.person(customer, { lang });
  const page = await browser.tab(home, '/orders/new');
  await live(page);
  const began = Date.now();
  await page.waitForFunction(() => document.activeElement?.id === 'title');
  await page.keyboard.type(`By keys alone ${lang}`);
  await page.keyboard.press('Tab');
  await page.keyboard.type('With a description.');
  await page.keyboard.press('Tab');
  // The list opens by the first key and is left by the last one.
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
  const category = await page.locator('#category').inputValue();
  await page.waitForFunction(() => document.activeElement?.id === 'category');
  assert.notEqual(category, '');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.type('1350');
  await page.waitForFunction(() => document.querySelector('#price').value === '1500');
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowDown');
  await browser.shot(page, `new-order-${lang}`);
  assert.deepEqual(await browser.accessible(page, `new-order-${lang}`), []);
  await page.keyboard.press('Control+Enter');
  await page.locator('[data-applicants="0"]').waitFor();
  assert.ok(Date.now() - began < 30_000, 'it took more than half a minute');
  const { items: [order] } = await server.api(customer, 'GET', '/api/orders?list=mine');
  assert.deepEqual([order.title, order.price, order.payout, order.assignment, order.category], [`By keys alone ${lang}`, 150_000, 135_000, 'chosen', category]);
  // The next one begins where this one was.
  const next = await browser.tab(home, '/orders/new');
  await next.locator('input[name="assignment"][value="chosen"]:checked').waitFor();
  assert.equal(await next.locator('#category').inputValue(), category);
}

async function ownLists({ server, browser, lang }) {
  const [customer, executor, other] = [await server.user('customer', 10_000_000), await server.user('executor'), await server.user('executor')];
  const [lost, won] = [await server.post(customer, `Lost ${lang}`, { assignment: 'chosen' }), await server.post(customer, `Won ${lang}`, { assignment: 'chosen' })];
  for (const who of [executor, other]) for (const { id } of [lost, won]) await server.api(who, 'POST', `/api/orders/${id}/apply`, { message: 'Me.' });
  const page = await browser.tab(await browser.person(executor, { lang }), '/contracts?show=applications');
  const state = (id, status) => page.locator(`[data-applied="${id}"] [data-application-status="${status}"]`);
  await live(page);
  await Promise.all([state(lost.id, 'waiting').waitFor(), state(won.id, 'waiting').waitFor()]);
  await server.api(customer, 'POST', `/api/orders/${lost.id}/choose`, { executor_id: other.user_id });
  await state(lost.id, 'declined').waitFor();
  await server.api(customer, 'POST', `/api/orders/${won.id}/choose`, { executor_id: executor.user_id });
  await state(won.id, 'chosen').waitFor();
  await browser.shot(page, `applications-${lang}`);
  assert.deepEqual(await browser.accessible(page, `applications-${lang}`), []);

  // More than one page, read to its end by scrolling; a state in the address.
  for (let i = 0; i < 40; i++) await server.post(customer, `Many ${i} ${lang}`, { price: 100 });
  const mine = await browser.tab(await browser.person(customer, { lang, theme: 'dark', viewport: PHONE }), '/orders/mine?status=open');
  await live(mine);
  const first = mine.locator('[data-order]').filter({ hasText: `Many 0 ${lang}` });
  await mine.locator('[data-order]').first().waitFor();
  await mine.locator('main').evaluate((main) => main.scrollTo({ top: main.scrollHeight }));
  await first.waitFor();
  assert.equal(await mine.locator('[data-order]').count(), 40);
  await browser.shot(mine, `my-orders-phone-${lang}`);
  const fresh = await server.post(customer, `Fresh ${lang}`, { price: 100 });
  await mine.locator(`[data-order="${fresh.id}"]`).waitFor();
}

const inBoth = (name, run) => ['en', 'ru'].map((lang) => ({ name: `${name} (${lang})`, run: (tools) => run({ ...tools, lang }) }));

export const tests = [
  ...inBoth('a contract is told on the pages of both sides', contractPages),
  ...inBoth('an edit shows what it holds and what somebody else has changed', editing),
  ...inBoth('a customer compares applicants and chooses one', choosing),
  ...inBoth('an order is posted by keys alone', postedByKeys),
  ...inBoth('applications and orders of one\'s own are listed and stay live', ownLists),
  ...inBoth('a name leads to a public profile', people),
];
