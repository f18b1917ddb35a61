// The README's pictures: E2E_PICTURES=docs/pictures node tests/e2e/run.mjs pictures
import { mkdir, stat } from 'node:fs/promises';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { live } from './browser.mjs';

const BYTES_MAX = 150_000;
const WIDE = { width: 1280, height: 760 };
const PHONE = { width: 390, height: 760 };
const ORDERS = [
  ['Translate a lease, Russian to English', 'texts', 420_000, 'first'],
  ['Walk two dogs this evening', 'other', 120_000, 'first'],
  ['Mount a washing machine', 'repair', 350_000, 'first'],
  ['Logo for a bakery', 'design', 1_500_000, 'chosen'],
  ['Bring a cello across town', 'delivery', 280_000, 'first'],
  ['Proofread a thesis, 80 pages', 'texts', 900_000, 'chosen'],
  ['Repair a leaking tap', 'repair', 190_000, 'first'],
  ['Photograph twelve dishes', 'photo', 1_100_000, 'first'],
  ['Fetch a parcel before noon', 'delivery', 60_000, 'first'],
  ['Set up a home network', 'it', 640_000, 'first'],
];
const APPLICANTS = [
  ['Vera Orlova', 'I have drawn for three bakeries; sketches by Thursday.', 1_400_000],
  ['Pavel Kim', 'Can begin today. The price includes the file for the sign maker.', 1_500_000],
  ['Mira Sokolova', 'Hand lettering is what I do best. See my profile.', 1_700_000],
];

/** Somebody with a name of their own. */
async function person(server, name, role, credit = 0) {
  const user = await server.user(role, credit);
  await server.api(user, 'PATCH', '/api/me', { name });
  return user;
}

async function market(server) {
  const customer = await person(server, 'Anna Berg', 'customer', 20_000_000);
  const executor = await person(server, 'Vera Orlova', 'executor');
  const posted = [];
  for (const [title, category, price, assignment] of ORDERS) {
    posted.push(await server.post(customer, title, { price, assignment, category, description: 'Please ask if anything is unclear.' }));
  }
  const logo = posted[3];
  for (const [name, message, price] of APPLICANTS) {
    const applicant = name === 'Vera Orlova' ? executor : await person(server, name, 'executor');
    await server.api(applicant, 'POST', `/api/orders/${logo.id}/apply`, { message, price });
  }
  const paid = posted[6];
  await server.api(executor, 'POST', `/api/orders/${paid.id}/accept`, {});
  await server.api(executor, 'POST', `/api/orders/${paid.id}/submit`, { report: 'The tap is dry.' });
  await server.api(customer, 'POST', `/api/orders/${paid.id}/confirm`, {});
  return { customer, executor, logo };
}

async function pictures({ server, browser }) {
  const place = process.env.E2E_PICTURES;
  await mkdir(place, { recursive: true });
  const { customer, executor, logo } = await market(server);
  const admin = await server.user('admin');
  const scenes = [
    ['board', executor, '/', '[data-accept]', 'light', WIDE],
    ['board-dark', executor, '/', '[data-accept]', 'dark', WIDE],
    ['board-phone', executor, '/', '[data-accept]', 'dark', PHONE],
    ['applicants', customer, `/orders/${logo.id}`, '[data-applicants="3"]', 'light', WIDE],
    ['applicants-dark', customer, `/orders/${logo.id}`, '[data-applicants="3"]', 'dark', WIDE],
    ['balance', customer, '/balance', '[data-entry]', 'light', WIDE],
    ['balance-dark', customer, '/balance', '[data-entry]', 'dark', WIDE],
    ['admin', admin, '/admin/commission', 'tbody tr', 'light', WIDE],
    ['admin-dark', admin, '/admin/commission', 'tbody tr', 'dark', WIDE],
  ];
  for (const [name, who, path, ready, theme, viewport] of scenes) {
    const context = await browser.person(who, { theme, viewport });
    const page = await browser.tab(context, path);
    await page.locator(ready).first().waitFor();
    await live(page);
    await page.locator('[data-proven="true"]').waitFor();
    if (name.startsWith('applicants')) await page.locator(ready).first().evaluate((list) => list.scrollIntoView({ block: 'end' }));
    const file = join(place, `${name}.png`);
    await page.screenshot({ path: file, animations: 'disabled' });
    const { size } = await stat(file);
    console.log(`         ${name}: ${Math.round(size / 1000)} kB`);
    assert.ok(size < BYTES_MAX, `${name}.png is ${size} bytes`);
    await context.close();
  }
}

/** Made when asked for, not with every run of the tests. */
export const tests = process.env.E2E_PICTURES ? [{ name: 'pictures for the README', run: pictures }] : [];
