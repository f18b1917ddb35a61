// What people are told, how, and of what: the settings, the centre, the chime.
import assert from 'node:assert/strict';
import { live, mark, stillMarked } from './browser.mjs';
import { until } from './server.mjs';

const WAIT_MS = 20_000;
const PHONE = { width: 390, height: 844 };

/** Asked from here: a tab that stands behind another draws no frames, and what waits for one in it may wait for good. */
const inPage = (what, page, asked, arg) => until(what, WAIT_MS, () => page.evaluate(asked, arg));
const put = (server, user, category, wish) => server.api(user, 'PUT', `/api/subscriptions/${category}`, wish);

async function choices({ server, browser }) {
  const executor = await server.user('executor');
  const page = await browser.tab(await browser.person(executor), '/notifications');
  await live(page);
  await page.locator('[data-manage]').click();
  const box = (event, way) => page.locator(`[data-event="${event}"] [data-way="${way}"]`);
  await box('chosen', 'app').waitFor();
  assert.ok(await box('chosen', 'mail').isDisabled(), 'no mail is sent from here');
  await page.locator('[data-notes]').filter({ hasText: 'No e-mail is sent from here.' }).waitFor();
  await box('declined', 'app').uncheck();
  await box('taken', 'telegram').uncheck();
  const events = async () => (await server.api(executor, 'GET', '/api/me/channels')).events;
  await until('the choice is kept', WAIT_MS, async () => {
    const { declined, taken, chosen } = await events();
    return !declined.app && !taken.telegram && chosen.app && chosen.telegram;
  });
  await page.reload();
  await box('declined', 'app').waitFor();
  assert.deepEqual(await Promise.all([box('declined', 'app').isChecked(), box('chosen', 'app').isChecked()]), [false, true]);
  assert.deepEqual(await browser.accessible(page, 'choices'), []);
  await browser.shot(page, 'settings-notifications');
}

async function telegram({ server, browser }) {
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const page = await browser.tab(await browser.person(customer, { lang: 'ru', theme: 'dark', viewport: PHONE }), '/settings/notifications');
  await live(page);
  const state = (which) => page.locator(`[data-telegram="${which}"]`);
  await state('none').locator('[data-link]').click();
  await state('waiting').waitFor();
  const code = (await page.locator('[data-code]').innerText()).replace('/start ', '');
  assert.match(await page.locator('[data-open]').getAttribute('href'), new RegExp(`^https://t\\.me/board_test_bot\\?start=${code}$`));
  assert.deepEqual(await browser.accessible(page, 'telegram'), []);
  await page.locator('[data-open]').scrollIntoViewIfNeeded();
  await browser.shot(page, 'settings-telegram-ru-dark-390');
  server.telegram.write(77, `/start ${code}`);
  await state('linked').waitFor();

  const order = await server.post(customer, 'Told in a chat');
  await server.api(executor, 'POST', `/api/orders/${order.id}/accept`, {});
  await until('the message', WAIT_MS, () => server.telegram.sent.some((one) => one.chat_id === 77 && one.text.includes('Told in a chat')));
  await page.locator('[data-unlink]').click();
  await page.locator('dialog[open] [data-yes]').click();
  await state('none').waitFor();
  assert.equal((await server.api(customer, 'GET', '/api/me/channels')).telegram.linked, false);
}

/** Counts notes and keeps system notifications instead of playing and showing them. */
function listenIn() {
  globalThis.heard = 0;
  // What a test evaluates in a tab is a gesture for the browser; here only a press is to be one.
  let pressed = false;
  addEventListener('pointerdown', () => (pressed = true), { capture: true });
  Object.defineProperty(navigator, 'userActivation', { value: { get hasBeenActive() { return pressed; } } });
  globalThis.shown = [];
  const start = AudioScheduledSourceNode.prototype.start;
  AudioScheduledSourceNode.prototype.start = function (...when) {
    globalThis.heard += 1;
    return start.apply(this, when);
  };
  globalThis.Notification = class {
    static permission = localStorage.getItem('test.permission') ?? 'default';
    static requestPermission() {
      localStorage.setItem('test.permission', (this.permission = 'granted'));
      return Promise.resolve(this.permission);
    }
    constructor(text, { tag }) {
      globalThis.shown.push([text, tag]);
    }
    close() {}
  };
}

async function hide(page) {
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
}

async function following({ server, browser }) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  const admin = await server.user('admin');
  const slug = `follow-${Date.now()}`;
  await server.api(admin, 'POST', '/api/admin/categories', { slug, name_ru: 'Слежка', name_en: 'Followed' });
  const context = await browser.person(executor);
  await context.addInitScript(listenIn);
  const page = await browser.tab(context, '/settings/notifications');
  const other = await browser.tab(context, '/');
  await Promise.all([live(page), live(other)]);
  await page.bringToFront();
  await page.locator('[data-follow-category]').selectOption(slug);
  await page.locator('[data-follow-from]').fill('500');
  await page.locator('[data-follow] button').click();
  const row = page.locator(`[data-following="${slug}"]`);
  await row.waitFor();

  // Nothing sounds and nobody is asked before it was explained.
  assert.equal(await page.evaluate(() => globalThis.heard), 0);
  await row.locator('[data-sound]').click();
  await browser.shot(page, 'settings-sound-explained');
  await page.locator('dialog[open] [data-yes]').click();
  await inPage('the chime is heard', page, () => globalThis.heard > 0);
  await row.locator('[data-sound]:checked').waitFor();
  assert.equal(await page.evaluate(() => Notification.permission), 'default');
  await row.locator('[data-system]').click();
  await page.locator('dialog[open] [data-yes]').click();
  await row.locator('[data-system]:checked').waitFor();
  const [kept] = (await server.api(executor, 'GET', '/api/subscriptions')).items;
  assert.deepEqual([kept.category, kept.price_min, kept.sound], [slug, 50_000, true]);
  assert.deepEqual(await browser.accessible(page, 'following'), []);
  await browser.shot(page, 'settings-following');

  // The tab that was pressed in sounds, also hidden; the other one keeps still.
  await hide(page);
  const before = await page.evaluate(() => globalThis.heard);
  await server.post(customer, 'Too cheap', { category: slug, price: 40_000 });
  await server.post(customer, 'Worth a chime', { category: slug, price: 60_000 });
  await inPage('the order is heard', page, (was) => globalThis.heard > was, before);
  await inPage('the system shows it', page, () => globalThis.shown.length > 0);
  const shown = await page.evaluate(() => globalThis.shown);
  assert.equal(shown.length, 1);
  assert.match(shown[0][0], /Followed.*Worth a chime/);
  await other.locator('[data-toast="info"]').filter({ hasText: 'Worth a chime' }).waitFor();
  assert.deepEqual(await other.evaluate(() => [globalThis.heard, globalThis.shown.length]), [0, 0]);

  await row.locator('[data-unfollow]').click();
  await row.waitFor({ state: 'detached' });
  await page.locator('[data-toast-action]').last().click();
  await row.waitFor();
  assert.equal(await row.locator('[data-floor]').inputValue(), '500');
}

/** The bell and the title of a tab. */
async function counts(page, number) {
  await page.locator(`header [data-bell="${number}"]`).waitFor();
  await inPage('the title counts', page, (n) => (n === 0 ? !/^\(/.test(document.title) : document.title.startsWith(`(${n}) `)), number);
}

async function centre({ server, browser }) {
  const customer = await server.user('customer', 10_000_000);
  const [executor, rival] = [await server.user('executor'), await server.user('executor')];
  const home = await browser.person(customer);
  const [page, second] = [await browser.tab(home, '/settings'), await browser.tab(home, '/orders/new')];
  const work = await browser.tab(await browser.person(executor, { lang: 'ru' }), '/settings');
  await Promise.all([live(page), live(second), live(work)]);
  await Promise.all([page, second, work].map(mark));
  const post = (title, more) => server.post(customer, title, more);
  const act = (user, order, what, body = {}) => server.api(user, 'POST', `/api/orders/${order.id}/${what}`, body);

  const race = await post('Raced for');
  await act(executor, race, 'accept');
  await Promise.all([counts(page, 1), counts(second, 1)]);
  await act(executor, race, 'submit', { report: 'Done.' });
  await counts(page, 2);
  await act(customer, race, 'reject', { reason: 'One shelf is missing.' });
  await act(executor, race, 'submit', { report: 'Now it is.' });
  await act(customer, race, 'confirm');
  const chosen = await post('Chosen for', { assignment: 'chosen' });
  for (const [who, price] of [[executor, 110_000], [rival, 90_000]]) await act(who, chosen, 'apply', { message: 'I can.', price });
  await act(customer, chosen, 'choose', { executor_id: executor.user_id });
  await counts(work, 3);

  await page.locator('header [data-bell]').click();
  const line = (where, event) => where.locator(`[data-notice="${event}"]`).first();
  await line(page, 'applicant').waitFor();
  assert.match(await line(page, 'taken').innerText(), /took “Raced for”/);
  assert.match(await line(page, 'applicant').innerText(), /applied for “Chosen for” and asks ₽900\.00/);
  assert.match(await line(page, 'debited').innerText(), /₽1,000\.00 was paid for “Raced for”/);
  assert.equal(await line(page, 'taken').locator('a').getAttribute('href'), `/orders/${race.id}`);
  await browser.shot(page, 'notices');
  assert.deepEqual(await browser.accessible(page, 'notices'), []);
  // Read here is read in the other tab.
  await Promise.all([counts(page, 0), counts(second, 0)]);

  await work.locator('header [data-bell]').click();
  await line(work, 'chosen').waitFor();
  assert.match(await line(work, 'work_rejected').innerText(), /возвращает работу[\s\S]*One shelf is missing\./);
  assert.match(await line(work, 'work_confirmed').innerText(), /«Raced for».*900,00/);
  await counts(work, 0);
  await line(work, 'chosen').locator('a').click();
  await work.waitForURL(`**/orders/${chosen.id}`);
  assert.deepEqual(await Promise.all([page, second, work].map(stillMarked)), [true, true, true]);
}

async function pages({ server, browser }) {
  const executor = await server.user('executor');
  const customer = await server.user('customer', 100_000_000);
  await put(server, executor, 'all', {});
  const board = await browser.tab(await browser.person(executor), '/');
  await live(board);
  for (let n = 0; n < 33; n += 1) await server.post(customer, `Told as number ${n}`);
  await until('all are told', WAIT_MS, async () => (await server.api(executor, 'GET', '/api/notifications?limit=1')).unread === 33);
  // A crowd of them is one line in the corner, and not thirty.
  await board.locator('[data-toast="info"]').filter({ hasText: /new notifications/ }).waitFor();
  const page = await browser.tab(await browser.person(executor), '/notifications');
  await live(page);
  const lines = page.locator('[data-notice]');
  await lines.nth(29).waitFor();
  assert.equal(await lines.count(), 30);
  assert.equal(await page.locator('[data-new="true"]').count(), 30);
  await page.locator('[data-notices] ~ div button').click();
  await lines.nth(32).waitFor();
  await counts(page, 0);
  assert.match(await lines.nth(32).innerText(), /Told as number 0/);
}

export const tests = [
  { name: 'notices: what is told by which way is chosen one by one and kept', run: choices },
  { name: 'notices: a chat at Telegram is linked by a code, told, and unlinked', run: telegram },
  { name: 'notices: categories are followed from a price on, and one tab sounds when it was agreed to', run: following },
  { name: 'notices: each event is a sentence that leads to its order, and the count is in step in all tabs', run: centre },
  { name: 'notices: the list goes on for as long as there are any', run: pages },
];
