// Every page, both themes, both widths: accessible, and without a word on the console.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { live } from './browser.mjs';

const ROUTES = new URL('../../web/src/routes.ts', import.meta.url);

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
const LOOKS = [
  { theme: 'light', lang: 'en', viewport: DESKTOP },
  { theme: 'dark', lang: 'ru', viewport: DESKTOP },
  { theme: 'light', lang: 'ru', viewport: PHONE },
  { theme: 'dark', lang: 'en', viewport: PHONE },
];

/** Every address of the page, as a pattern of what may be visited there. */
async function routes() {
  const found = [];
  let area = '';
  for (const [, indent, path] of (await readFile(ROUTES, 'utf8')).matchAll(/^( {2}| {4})'([^']+)':/gm)) {
    if (indent.length === 2) area = path;
    const whole = path.startsWith('*') ? '/nowhere' : indent.length === 2 ? path : (area + path).replace(/\/$/, '');
    found.push({ whole, visited: new RegExp(`^${whole.replace(/:\w+/g, '[^/]+')}$`) });
  }
  return found;
}

/** A new page without a line below is not looked at by anybody. */
async function noneForgotten(visits) {
  const paths = visits.flatMap(({ paths }) => paths).map(([path]) => new URL(path, 'http://page').pathname);
  const forgotten = (await routes()).filter(({ visited }) => !paths.some((path) => visited.test(path)));
  assert.deepEqual(forgotten.map(({ whole }) => whole), [], 'pages without a visit');
}

/** One look a test: all of them in one would be minutes. */
async function everyPage(look, { server, browser }) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  const admin = await server.user('admin');
  const order = await server.post(customer, 'Looked at from all sides', { description: 'Two lines\nof text.' });
  const held = await server.post(customer, 'In work');
  await server.api(executor, 'POST', `/api/orders/${held.id}/accept`, {});
  const chosen = await server.post(customer, 'To be chosen for', { assignment: 'chosen' });
  await server.api(executor, 'POST', `/api/orders/${chosen.id}/apply`, { message: 'I would like to.' });
  const topup = await server.api(customer, 'POST', '/api/topups', { amount: 5_000 });
  await server.api(customer, 'POST', '/api/payouts', { amount: 10_000, account: 'wallet', method: 'card', destination: '2200 1234 1234 5678' });
  const visits = [
    { who: null, name: 'guest', paths: [['/', '[data-row]'], ['/login', '#email'], ['/register', '#name'], ['/forgot', '#email'], ['/reset#token', '#password'], ['/nowhere', '[data-notfound]'], [`/orders/${order.id}`, 'h1'], [`/people/${customer.user_id}`, '[data-open-order]'], ['/?sort=price&price_min=1', '[data-chips]']] },
    {
      who: customer, name: 'customer', paths: [
        ['/orders/new', '#title'], ['/orders/mine', '[data-order]'], [`/orders/${held.id}`, '[data-timeline]'], [`/orders/${chosen.id}`, '[data-applicant]'],
        ['/balance', '[data-entries]'], ['/payouts', '[data-payout]'], ['/settings', '#sweeps'], ['/settings/profile', '#profile-name'], ['/settings/security', '[data-sessions]'], ['/settings/notifications', '[data-channels]'], ['/notifications', '[data-notice]'], [topup.pay_url, '[data-pay]'],
        [`/balance?account=wallet&topup=${topup.id}&payment=fail`, '[data-payment="failed"]'],
      ],
    },
    { who: executor, name: 'executor', paths: [['/', '[data-accept]'], ['/contracts', '[data-order]'], [`/orders/${order.id}`, '[data-accept]'], [`/orders/${chosen.id}`, '[data-application="waiting"]'], ['/contracts?show=applications', '[data-applied]']] },
    { who: admin, name: 'admin', paths: [['/admin', '[data-charts] canvas'], ['/admin/orders', '[data-order]'], ['/admin/disputes', '[data-list-empty], [data-order]'], ['/admin/users', '[data-user]'], [`/admin/users/${customer.user_id}`, '[data-accounts]'], [`/admin/orders/${held.id}`, '[data-events]'], ['/admin/deliveries', '[data-list-empty], [data-delivery]'], ['/admin/limits', '[data-limits-form]'], ['/admin/debug', '[data-debug]'], ['/admin/categories', '[data-categories]'], ['/admin/commission', 'tbody tr'], ['/admin/payouts', '[data-payout]'], ['/admin/audit', '[data-audit]']] },
  ];
  await noneForgotten(visits);
  const found = [];
  for (const { who, name, paths } of visits) {
    const context = await browser.person(who, look);
    for (const [path, ready] of paths) {
      const page = await browser.tab(context, path);
      await page.locator(ready).first().waitFor();
      await live(page);
      const title = `${name}${path.replace(/\?.*=/, '-').replace(/\d+/g, 'N').replaceAll('/', '-')}-${look.theme}-${look.lang}-${look.viewport.width}`;
      await browser.shot(page, title);
      found.push(...(await browser.accessible(page, title)));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.ok(!wide, `${title} is wider than its window`);
      await page.close();
    }
    await context.close();
  }
  assert.deepEqual(found, []);
}

async function choices({ browser }) {
  const page = await browser.tab(await browser.person(null), '/settings');
  await page.locator('main button[lang="ru"]').click();
  await page.locator('main button[title="Тёмная"]').click();
  await page.reload();
  // Written into the first page by the server: no flash of the other theme.
  assert.equal(await page.evaluate(() => `${document.documentElement.lang} ${document.documentElement.dataset.theme}`), 'ru dark');
  await page.locator('h1').filter({ hasText: 'Настройки' }).waitFor();
}

export const tests = [
  ...LOOKS.map((look) => ({ name: `every page is accessible in both themes and widths: ${look.theme}, ${look.lang}, ${look.viewport.width}`, run: (given) => everyPage(look, given) })),
  { name: 'language and theme survive a reload', run: choices },
];
