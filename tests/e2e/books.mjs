// The audit of orders and money, and its repairs.
import assert from 'node:assert/strict';
import { live } from './browser.mjs';
import { disputed } from './scene.mjs';

const AUDIT_MS = 60_000;

async function agree({ server, browser }) {
  const admin = await server.user('admin');
  await disputed(server, 'Counted by the audit');
  const page = await browser.tab(await browser.person(admin, { lang: 'ru' }), '/admin/audit');
  await live(page);
  await page.locator('[data-audit]').click();
  await page.locator('[data-broken="0"]').waitFor({ timeout: AUDIT_MS });
  assert.match(await page.locator('[data-broken]').innerText(), /Выполня/);
  assert.equal(await page.locator('[data-repair]').count(), 0, 'there is nothing to repair');
  // Each class is told in the reader's language.
  assert.equal(await page.locator('main li').filter({ hasText: /^[A-Za-z]/ }).count(), 0);
  assert.deepEqual(await browser.accessible(page, 'audit'), []);
  await browser.shot(page, 'desk-audit-ru');
}

const WORDS = {
  en: { mended: /1 repair/i, clean: /invariants hold/ },
  ru: { mended: /1 исправ/i, clean: /Выполняются все/ },
};

/** A balance that somebody has changed by hand is what its entries say again, and the operation that made it so is named. */
async function repaired({ server, browser, lang }) {
  const admin = await server.user('admin');
  const victim = await server.user('customer', 150_000);
  const purse = async () => (await server.api(victim, 'GET', '/api/accounts')).items.find((one) => one.account === 'wallet').available;
  await server.sql(`update accounts set available = available + 700 where user_id = ${victim.user_id} and kind = 'wallet'`);
  assert.equal(await purse(), 150_700);
  const page = await browser.tab(await browser.person(admin, { lang }), '/admin/audit');
  await live(page);
  await page.locator('[data-audit]').click();
  const found = page.locator('[data-class="account_entry"]');
  await found.waitFor({ timeout: AUDIT_MS });
  // The sum of all money shows it, too.
  await page.locator('[data-broken="2"]').waitFor();
  await page.locator('[data-class="money_total"]').waitFor();
  const subject = await found.locator('li span').first().innerText();
  await browser.shot(page, `desk-audit-broken-${lang}`);
  assert.deepEqual(await browser.accessible(page, `audit-broken-${lang}`), []);

  await page.locator('[data-repair]').click();
  await page.locator('dialog[open] [data-yes]').click();
  await page.locator('[data-broken="0"]').filter({ hasText: WORDS[lang].clean }).waitFor({ timeout: AUDIT_MS });
  const mended = page.locator('[data-mended="1"]');
  assert.match(await mended.innerText(), WORDS[lang].mended);
  const line = await mended.locator('li').innerText();
  for (const part of [subject, '"available":150700', '"available":150000', 'repair:account_entry:']) assert.ok(line.includes(part), `${part} is not in: ${line}`);
  assert.equal(await page.locator('[data-repair]').count(), 0, 'there is nothing left to repair');
  const sticksOut = await mended.evaluate((box) => [...box.querySelectorAll('*')].some((part) => part.getBoundingClientRect().right > box.getBoundingClientRect().right));
  assert.ok(!sticksOut, 'what was mended does not fit its box');
  assert.deepEqual(await browser.accessible(page, `audit-repaired-${lang}`), []);
  await browser.shot(page, `desk-audit-repaired-${lang}`);
  assert.equal(await purse(), 150_000);
  await page.locator('[data-audit]').click();
  await page.locator('[data-mended]').waitFor({ state: 'detached', timeout: AUDIT_MS });
  await page.locator('[data-broken="0"]').waitFor();
}

export const tests = [
  { name: 'desk: an audit says that everything agrees, in the reader’s language', run: agree },
  ...['en', 'ru'].map((lang) => ({ name: `desk: what an audit finds is repaired, and told (${lang})`, needsRestart: true, run: (tools) => repaired({ ...tools, lang }) })),
];
