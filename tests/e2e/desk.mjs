// The administrators' area: people, orders, disputes, deliveries, and what the node is doing.
import assert from 'node:assert/strict';
import { live } from './browser.mjs';
import { tests as books } from './books.mjs';
import { disputed } from './scene.mjs';
import { until } from './server.mjs';

const WAIT_MS = 20_000;
const PHONE = { width: 390, height: 844 };
const yes = (page) => page.locator('dialog[open] [data-yes]').click();

async function people({ server, browser }) {
  const admin = await server.user('admin');
  const email = `sought-${Date.now()}@example.org`;
  const { user } = await server.api(null, 'POST', '/api/register', { email, password: 'correct horse', name: 'Zinaida Sought' });
  const { token } = await server.api(null, 'POST', '/api/login', { email, password: 'correct horse', role: 'customer' });
  const away = await browser.tab(await browser.person({ token }), '/', [/status of 401/]);
  const page = await browser.tab(await browser.person(admin), '/admin');
  await Promise.all([live(away), live(page)]);
  await page.locator('nav a[href="/admin/users"]').click();
  await page.locator('[data-search]').fill('sought-');
  const line = page.locator(`[data-user="${user.id}"]`);
  await until('only who is looked for', WAIT_MS, async () => (await line.count()) === 1 && (await page.locator('[data-user]').count()) === 1);
  assert.equal(new URL(page.url()).searchParams.get('q'), 'sought-');
  await browser.shot(page, 'desk-people');
  await line.locator('a').click();
  const state = (which) => page.locator(`[data-user-state="${which}"]`);
  await state('open').locator('[data-close]').click();
  await browser.shot(page, 'desk-close-asked');
  await yes(page);
  await state('closed').waitFor();
  await away.locator('header a[href="/login"]').waitFor();
  assert.deepEqual(await browser.accessible(page, 'person'), []);
  await browser.shot(page, 'desk-person');
  await state('closed').locator('[data-reopen]').click();
  await yes(page);
  await state('open').waitFor();
  await server.api(null, 'POST', '/api/login', { email, password: 'correct horse', role: 'customer' });

  await page.goto(`${server.url}/admin/users/${admin.user_id}`);
  await state('open').waitFor();
  assert.equal(await page.locator('[data-close]').count(), 0, 'nobody closes themselves');
  await page.locator('[data-accounts]').waitFor();
}

async function verdicts({ server, browser }) {
  const admin = await server.user('admin');
  const [paid, returned] = [await disputed(server, 'Argued over, paid'), await disputed(server, 'Argued over, returned')];
  const page = await browser.tab(await browser.person(admin), '/admin/disputes');
  await live(page);
  await page.locator(`[data-order="${paid.order.id}"] [data-disputed]`).waitFor();
  await page.locator('nav a[href="/admin/disputes"] [data-count]').waitFor();
  await browser.shot(page, 'desk-disputes');
  await page.locator(`[data-order="${paid.order.id}"] a`).click();
  await page.locator('[data-text="dispute"]').filter({ hasText: 'There are four of them.' }).waitFor();
  assert.deepEqual(await page.locator('[data-event]').evaluateAll((all) => all.map((one) => one.dataset.event)), ['created', 'taken', 'submitted', 'rejected', 'disputed']);
  await page.locator('[data-verdict="pay"]').check();
  await page.locator('#verdict-comment').fill('The photograph shows four.');
  assert.deepEqual(await browser.accessible(page, 'verdict'), []);
  await browser.shot(page, 'desk-verdict');
  await page.locator('[data-verdict-form] button').click();
  assert.match(await page.locator('dialog[open]').innerText(), /Pay ₽900\.00 to .*\?[\s\S]*₽1,000\.00 that are held; ₽100\.00/);
  await yes(page);
  await page.locator('[data-status="done"]').waitFor();
  await page.locator('[data-event="arbitrated"]').filter({ hasText: 'The photograph shows four.' }).waitFor();

  const second = await browser.tab(await browser.person(admin, { lang: 'ru', theme: 'dark', viewport: PHONE }), `/admin/orders/${returned.order.id}`);
  await second.locator('[data-verdict="refund"]').check();
  await second.locator('#verdict-comment').fill('На снимке три.');
  await browser.shot(second, 'desk-verdict-ru-dark-390');
  await second.locator('[data-verdict-form] button').click();
  assert.match(await second.locator('dialog[open]').innerText(), /Вернуть 1\s000,00/);
  await yes(second);
  await second.locator('[data-status="failed"]').waitFor();
  const balance = async ({ token }, account) => (await server.api({ token }, 'GET', '/api/accounts')).items.find((one) => one.account === account);
  assert.equal((await balance(paid.executor, 'earnings')).available, 90_000);
  assert.deepEqual(await balance(returned.customer, 'wallet').then(({ available, held }) => [available, held]), [1_000_000, 0]);
}

async function orders({ server, browser }) {
  const admin = await server.user('admin');
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const rare = `Unheard-of-${Date.now()}`;
  const [open, taken] = [await server.post(customer, `${rare} open`), await server.post(customer, `${rare} taken`)];
  await server.api(executor, 'POST', `/api/orders/${taken.id}/accept`, {});
  const page = await browser.tab(await browser.person(admin), '/admin/orders');
  await live(page);
  const shown = () => page.locator('[data-order]').evaluateAll((all) => all.map((one) => Number(one.dataset.order)));
  const shows = (what, ids) => until(what, WAIT_MS, async () => JSON.stringify(await shown()) === JSON.stringify(ids));
  await page.locator('[data-search]').fill(rare.toLowerCase());
  await shows('both by a part of their titles', [taken.id, open.id]);
  await page.locator('[data-status-filter]').selectOption('in_work');
  await shows('the one in work', [taken.id]);
  assert.deepEqual(await browser.accessible(page, 'desk-orders'), []);
  await browser.shot(page, 'desk-orders');
  await page.goto(`${server.url}/admin/orders?customer=${customer.user_id}`);
  await shows('all of the customer’s', [taken.id, open.id]);
  await page.locator('[data-drop="customer"]').click();
  await page.locator('[data-search]').fill(String(open.id));
  await shows('the one of this number', [open.id]);
}

async function deliveries({ server, browser }) {
  const admin = await server.user('admin');
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const chat = 4_000 + customer.user_id;
  const { code } = await server.api(customer, 'POST', '/api/me/telegram');
  server.telegram.write(chat, `/start ${code}`);
  await until('the chat is linked', WAIT_MS, async () => (await server.api(customer, 'GET', '/api/me/channels')).telegram.linked);
  server.telegram.refusing.add(chat);
  const order = await server.post(customer, 'Refused by the server');
  await server.api(executor, 'POST', `/api/orders/${order.id}/accept`, {});
  const dead = async () => (await server.api(admin, 'GET', '/api/admin/deliveries?channel=telegram')).items.find((one) => one.user_id === customer.user_id);
  await until('the message is given up', WAIT_MS, async () => (await dead()) !== undefined);

  const page = await browser.tab(await browser.person(admin), '/admin/deliveries');
  await live(page);
  await page.locator('button').filter({ hasText: 'Telegram' }).click();
  const line = page.locator(`[data-delivery="${(await dead()).id}"]`);
  await line.filter({ hasText: 'Your order is taken' }).waitFor();
  assert.match(await line.innerText(), /text must be encoded/);
  assert.deepEqual(await browser.accessible(page, 'deliveries'), []);
  await browser.shot(page, 'desk-deliveries');
  server.telegram.refusing.delete(chat);
  await line.locator('[data-retry]').click();
  await line.waitFor({ state: 'detached' });
  await until('it arrives', WAIT_MS, () => server.telegram.sent.some((one) => one.chat_id === chat && one.text.includes('Refused by the server')));
  await page.locator('button').filter({ hasText: 'Sent' }).click();
  await line.waitFor();
}

async function figures({ server, browser }) {
  const admin = await server.user('admin');
  const page = await browser.tab(await browser.person(admin), '/admin');
  const asked = [];
  page.on('request', (request) => request.url().endsWith('/api/admin/figures') && asked.push(request));
  await live(page);
  await page.locator('[data-charts] canvas').nth(5).waitFor();
  await until('it is asked for again', WAIT_MS, () => asked.length > 0);
  // What the picture tells is told in words as well.
  await page.locator('[data-figures-table] summary').click();
  await page.locator('[data-figures-table] tbody tr').first().waitFor();
  await page.locator('[data-routes] summary').click();
  await page.locator('[data-routes] tbody th').filter({ hasText: '/api/admin/figures' }).waitFor();
  assert.deepEqual(await browser.accessible(page, 'figures'), []);
  await browser.shot(page, 'desk-figures');
  // A page that nobody looks at asks for nothing, and asks at once when it is looked at again.
  const see = (state) => page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  const answer = page.waitForResponse('**/api/admin/figures');
  await see('hidden');
  await see('visible');
  await answer;
  const dark = await browser.tab(await browser.person(admin, { theme: 'dark', lang: 'ru', viewport: PHONE }), '/admin');
  await dark.locator('[data-charts] canvas').nth(5).waitFor();
  assert.deepEqual(await browser.accessible(dark, 'figures-dark'), []);
  await browser.shot(dark, 'desk-figures-ru-dark-390');
}

async function commission({ server, browser }) {
  const admin = await server.user('admin');
  const page = await browser.tab(await browser.person(admin, { lang: 'ru' }), '/admin/commission');
  await live(page);
  const before = await server.api(admin, 'GET', '/api/admin/commission');
  const quoted = async () => (await server.api(null, 'GET', '/api/quote?price=12345')).commission;
  const round = await quoted();
  try {
    await page.locator('main button').filter({ hasText: 'Точный' }).click();
    await page.locator('#rate').fill('2,5');
    await page.locator('#floor').fill('1');
    await page.locator('form button:not([type="button"])').click();
    await page.locator('[data-toast="success"]').waitFor();
    // 2.5 % of 123.45, rounded up to the kopeck.
    assert.equal(await quoted(), 309);
    await page.locator('tbody tr').filter({ hasText: '3,09' }).waitFor();
  } finally {
    await server.api(admin, 'PUT', '/api/admin/commission', before);
  }
  assert.equal(await quoted(), round);
}

async function limits({ server, browser }) {
  const admin = await server.user('admin');
  const customer = await server.user('customer', 1_000_000);
  const page = await browser.tab(await browser.person(admin), '/admin/limits');
  await live(page);
  const field = page.locator('#limit-orders_day');
  await field.fill('1');
  await page.locator('[data-limits-form] button').click();
  await page.locator('[data-toast="success"]').waitFor();
  await server.post(customer, 'The only one today');
  await assert.rejects(server.post(customer, 'One too many'), /429[\s\S]*orders_day/);
  await page.reload();
  const met = page.locator('[data-limits-met]');
  await met.locator(`a[href="/admin/users/${customer.user_id}"]`).waitFor();
  assert.equal(await field.inputValue(), '1');
  assert.deepEqual(await browser.accessible(page, 'limits'), []);
  await browser.shot(page, 'desk-limits');
  await field.fill('');
  await page.locator('[data-limits-form] button').click();
  await page.locator('[data-toast="success"]').waitFor();
  await server.post(customer, 'One more after all');
}

async function debug({ server, browser }) {
  const admin = await server.user('admin');
  const customer = await server.user('customer');
  const page = await browser.tab(await browser.person(admin), '/admin/debug');
  await live(page);
  await page.locator('[data-turn-on]').click();
  await page.locator('[data-debug="on"]').waitFor();
  await server.api(customer, 'GET', '/api/me');
  const row = page.locator('[data-request="/api/me"]').first();
  await row.locator('button').click();
  await row.locator('[data-calls] li').filter({ hasText: /select/i }).first().waitFor();
  assert.deepEqual(await browser.accessible(page, 'debug'), []);
  await browser.shot(page, 'desk-debug');
  await page.locator('[data-turn-off]').click();
  await page.locator('[data-debug="off"]').waitFor();
  assert.equal((await server.api(admin, 'GET', '/api/admin/debug')).on, false);
  await page.locator('[data-cache="sessions"]').waitFor();
  await page.locator('[data-caches] [data-clear]').click();
  await page.locator('[data-toast="success"]').waitFor();
}

export const tests = [
  { name: 'desk: a person is found, closed, and opened again', run: people },
  { name: 'desk: orders are found by number, title, state and side', run: orders },
  { name: 'desk: a verdict names the sums, pays one side, and is told', run: verdicts },
  { name: 'desk: what could not be sent is shown with its reason and tried again', run: deliveries },
  { name: 'desk: the commission is switched, and quotes follow at once', run: commission },
  ...books,
  { name: 'desk: limits are set for all nodes, and who met them is told', run: limits },
  { name: 'desk: what a request asks of the databases is shown while the debug mode is on', run: debug },
  { name: 'desk: the last hour in charts and in a table', run: figures },
];
