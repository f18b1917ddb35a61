// What "recovered" means: the page is live, its copy proved by the server's checksum, what it shows is what the server has,
// and no Accept could be pressed while any of this did not hold.
import assert from 'node:assert/strict';
import { until } from './server.mjs';

const BOARD_MS = 20_000;

/** What a browser says of a network that is gone, and is not a complaint of the page. */
export const NETWORK = [/net::ERR/, /WebSocket connection/, /status of 50\d/];

/** The ids on the page and on the server, newest first, must be the same. */
export async function boardIsRight(server, page) {
  await until('the page shows what the server has', BOARD_MS, async () => {
    const { orders } = await server.api(null, 'GET', '/api/board');
    const shown = await page.locator('[data-row]').evaluateAll((rows) =>
      rows.map((row) => [Number(row.getAttribute('aria-rowindex')), Number(row.dataset.row)]).sort((a, b) => a[0] - b[0]).map((one) => one[1]));
    // The list is virtual: what is mounted must be the beginning of the truth.
    return shown.length > 0 && shown.every((id, i) => id === orders[i]?.id);
  });
}

export const proven = (page, timeout) => page.locator('[data-link="live"][data-proven="true"]').waitFor({ timeout });

/** The page notices by itself that what it shows is old, and takes Accept away. */
export async function noticed(page, timeout) {
  await page.locator('[data-link="reconnecting"], [data-link="stale"], [data-link="offline"]').waitFor({ timeout });
  assert.equal(await page.locator('[data-accept]:enabled').count(), 0, 'Accept is on while the board is stale');
}

/** From here on the page writes down how its link goes, and every moment at which Accept was on without it. */
export function keepLog(page) {
  return page.evaluate(() => {
    const log = (globalThis.linkLog = { states: [], wrongs: 0 });
    const look = () => {
      const badge = document.querySelector('[data-link]');
      const state = badge.dataset.link + (badge.dataset.proven === 'true' ? '+' : '');
      if (log.states.at(-1) !== state) log.states.push(state);
      if (badge.dataset.link !== 'live' && document.querySelector('[data-accept]:enabled')) log.wrongs += 1;
    };
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}

export async function logOf(page) {
  const log = await page.evaluate(() => globalThis.linkLog);
  assert.ok(log, 'the page was loaded again');
  assert.equal(log.wrongs, 0, 'Accept was on while the board was stale');
  return log.states;
}

/** Waits until all of them are proved and right; prints how long that took. */
export async function recovered(what, server, pages, limitMs) {
  const began = performance.now();
  await Promise.all(pages.map((page) => proven(page, limitMs)));
  const ms = performance.now() - began;
  console.log(`         ${what}: live and proved after ${(ms / 1000).toFixed(1)} s`);
  for (const page of pages) await boardIsRight(server, page);
}
