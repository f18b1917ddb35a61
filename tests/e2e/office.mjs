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

export const tests = [
  { name: 'the list of sessions says what they are, and closing one ends it where it lives', run: sessions },
];
