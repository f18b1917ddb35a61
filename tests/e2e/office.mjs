// Settings and the administrators' side of the page.
import assert from 'node:assert/strict';
import { live } from './browser.mjs';

const PHONE_AGENT = 'Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36';

/** Registers by the API; answers what signs in as the same person from anywhere. */
async function registered(server, name) {
  const email = `${name}-${Date.now()}@example.org`;
  await server.api(null, 'POST', '/api/register', { email, password: 'correct horse', name });
  return { email, password: 'correct horse', role: 'executor' };
}

/** One more session of the person, with the browser it is said to be. */
async function signedIn(server, person, agent) {
  const response = await fetch(`${server.url}/api/login`, {
    method: 'POST', headers: { 'Content-Type': 'application/json', 'User-Agent': agent }, body: JSON.stringify(person),
  });
  assert.equal(response.status, 200);
  return response.json();
}

async function sessions({ server, browser }) {
  const person = await registered(server, 'Everywhere');
  const here = await signedIn(server, person, 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0');
  const phone = await signedIn(server, person, PHONE_AGENT);
  await signedIn(server, person, 'curl/8.5.0');
  const away = await browser.tab(await browser.person(phone), '/', [/status of 401/]);
  const page = await browser.tab(await browser.person(here), '/settings/security');
  await Promise.all([live(away), live(page)]);
  const lines = page.locator('[data-session]');
  await lines.nth(2).waitFor();
  assert.match(await lines.first().innerText(), /Firefox on Linux[\s\S]*this session/);
  await browser.shot(page, 'sessions');

  await lines.filter({ hasText: 'Chrome on Android' }).locator('[data-close]').click();
  await away.locator('header a[href="/login"]').waitFor();
  await lines.nth(2).waitFor({ state: 'detached' });
  assert.equal(await lines.count(), 2);
  await page.locator('[data-close-others]').click();
  await page.locator('dialog[open] [data-yes]').click();
  await page.locator('[data-close-others]').waitFor({ state: 'detached' });
  assert.equal(await lines.count(), 1);
  assert.equal((await server.api(here, 'GET', '/api/sessions')).items.length, 1);
}

async function passwords({ server, browser }) {
  const person = await registered(server, 'Changing');
  const here = await signedIn(server, person, 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0');
  const other = await signedIn(server, person, PHONE_AGENT);
  const away = await browser.tab(await browser.person(other), '/', [/status of 401/]);
  const page = await browser.tab(await browser.person(here), '/settings/security', [/status of 40[139]/]);
  await Promise.all([live(away), live(page)]);
  const form = page.locator('[data-password-form]');
  await page.locator('#password-current').fill('wrong horse');
  await page.locator('#password-new').fill('battery staple');
  await form.locator('button').click();
  await form.locator('[data-problem="wrong_password"]').waitFor();
  await page.locator('#password-current').fill(person.password);
  await form.locator('button').click();
  await page.locator('[data-toast="success"]').waitFor();
  await away.locator('header a[href="/login"]').waitFor();
  assert.equal(await page.locator('[data-session]').count(), 1);

  const email = `moved-${Date.now()}@example.org`;
  await page.locator('#email-new').fill(email);
  await page.locator('#email-password').fill('battery staple');
  await page.locator('[data-email-form] button').click();
  await page.locator('[data-email-form]').filter({ hasText: email }).waitFor();
  assert.deepEqual(await browser.accessible(page, 'security'), []);
  await browser.shot(page, 'security');
  await signedIn(server, { ...person, email, password: 'battery staple' }, 'curl/8.5.0');

  const lost = await browser.tab(await browser.person(null), '/login', [/status of 4/]);
  await lost.locator('a[href="/forgot"]').click();
  await lost.locator('#email').fill(email);
  await lost.locator('form button').click();
  // This server sends no mail, and says so.
  await lost.locator('[data-problem="no_mail"], [data-sent]').waitFor();
  assert.deepEqual(await browser.accessible(lost, 'forgot'), []);
  await lost.goto(`${server.url}/reset#no-such-token`);
  await lost.locator('#password').fill('battery staple');
  await lost.locator('form button').click();
  await lost.locator('[data-problem="link_over"]').waitFor();
  assert.equal(new URL(lost.url()).hash, '', 'the secret stays in the address');
  assert.deepEqual(await browser.accessible(lost, 'reset'), []);
}

async function profile({ server, browser }) {
  const here = await signedIn(server, await registered(server, 'Profiled'), 'Firefox');
  const page = await browser.tab(await browser.person(here), '/settings/profile');
  await live(page);
  await page.locator('#profile-name').fill('Vera Smith');
  await page.locator('#profile-about').fill('Lamps, shelves, curtains.');
  await page.locator('[data-profile-form] button:not([type="button"])').click();
  await page.locator('[data-toast="success"]').waitFor();
  const me = await server.api(here, 'GET', '/api/me');
  assert.deepEqual([me.user.name, me.about], ['Vera Smith', 'Lamps, shelves, curtains.']);
  await page.reload();
  await live(page);
  assert.equal(await page.locator('#profile-about').inputValue(), 'Lamps, shelves, curtains.');
  assert.deepEqual(await browser.accessible(page, 'profile'), []);
  await browser.shot(page, 'profile');
}

async function categories({ server, browser }) {
  const admin = await server.user('admin');
  const slug = `garden-${Date.now()}`;
  const page = await browser.tab(await browser.person(admin), '/admin/categories', [/status of 4/]);
  await live(page);
  await page.locator('[data-new-category] summary').click();
  await page.locator('#slug-new').fill(slug);
  await page.locator('#ru-new').fill('Сад');
  await page.locator('#en-new').fill('Garden');
  await page.locator('[data-category-form="new"] button').click();
  const line = page.locator(`[data-category="${slug}"]`);
  await line.waitFor();
  await browser.shot(page, 'categories');
  assert.deepEqual(await browser.accessible(page, 'categories'), []);
  const guest = await browser.tab(await browser.person(null), '/');
  await guest.locator(`option[value="${slug}"]`).waitFor({ state: 'attached' });

  await line.locator('[data-edit]').click();
  await page.locator(`#en-${slug}`).fill('Garden and yard');
  await line.locator('[data-category-form] button:not([type="button"])').click();
  await line.filter({ hasText: 'Garden and yard' }).waitFor();
  await line.locator('[data-hide]').click();
  await line.locator('[data-hidden]').waitFor();
  await page.locator('[data-toast="success"] [data-toast-action]').last().click();
  await line.locator('[data-hidden]').waitFor({ state: 'detached' });
  const { items } = await server.api(admin, 'GET', '/api/admin/categories');
  assert.equal(items.find((one) => one.slug === slug).name_en, 'Garden and yard');
}

async function devSwitch({ server, browser }) {
  const [customer, executor] = [await server.user('customer', 700_000), await server.user('executor')];
  const page = await browser.tab(await browser.person(customer), '/');
  await live(page);
  const menu = page.locator('[popovertarget="account-menu"]');
  await menu.click();
  const box = page.locator('[data-dev-switch]');
  await box.waitFor();
  await browser.shot(page, 'development-switch');
  assert.deepEqual(await browser.accessible(page, 'development-switch'), []);
  await box.locator('button').filter({ hasText: 'Executor' }).click();
  await page.locator('header [data-balance="earnings"]').waitFor();
  await menu.click();
  await box.locator('[data-dev-user]').fill(String(executor.user_id));
  await box.locator('form button').click();
  const name = (await server.api(executor, 'GET', '/api/me')).user.name;
  await page.locator('[data-toast="success"]').filter({ hasText: `You are ${name}, executor` }).waitFor();
  await live(page);
}

/** Both kinds of answers, in both languages, on a desk and on a phone; a guest finds them, too. */
async function answers({ server, browser }) {
  const customer = await server.user('customer', 700_000);
  await server.post(customer, 'Asked for by words');
  const looks = [
    { user: customer, look: {}, words: [/Database/, /Server’s memory/, /read for this answer/, /memory of node/, /\d sec old/] },
    { user: null, look: { lang: 'ru', theme: 'dark', viewport: { width: 390, height: 844 } }, words: [/База данных/, /Память сервера/, /прочитано для этого ответа/, /из памяти узла/, /возраст [\d,]+\sс/] },
  ];
  for (const [at, { user, look, words }] of looks.entries()) {
    const page = await browser.tab(await browser.person(user, look), '/?q=words&sort=price');
    await live(page);
    await page.locator('[data-row]').first().waitFor();
    await page.locator('[popovertarget="account-menu"]').click();
    await page.locator('[data-show-answers]').click();
    const dialog = page.locator('dialog[open][data-answers]');
    await dialog.locator('[data-answer="/api/orders"][data-source="mysql"]').first().waitFor();
    await dialog.locator('[data-answer="/api/categories"][data-source="memory"]').first().waitFor();
    const text = await dialog.innerText();
    for (const word of words) assert.match(text, word);
    assert.ok(!text.includes('words'), 'what was searched for is shown');
    assert.notEqual(await dialog.locator('[data-live-source]').getAttribute('data-live-source'), '');
    // What comes while it is open is told as well, at the top.
    await page.evaluate(() => fetch('/api/payouts/rules').then((answer) => answer.text()));
    await dialog.locator('li').first().and(page.locator('[data-answer="/api/payouts/rules"][data-source="node"]')).waitFor();
    assert.deepEqual(await browser.accessible(page, `answers-${at}`), []);
    await browser.shot(page, `answers-${at}`);
    assert.ok(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), 'wider than the screen');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  }
}

export const tests = [
  { name: 'the list of sessions says what they are, and closing one ends it where it lives', run: sessions },
  { name: 'a new password and a new address end what was signed in before; the way back in says what is wrong', run: passwords },
  { name: 'a profile is written and read back', run: profile },
  { name: 'in development one becomes another person in another role without a password', run: devSwitch },
  { name: 'where the latest answers came from, and how old they were, is a press away', run: answers },
  { name: 'a category is made, renamed, hidden and brought back, and every board has it', run: categories },
];
