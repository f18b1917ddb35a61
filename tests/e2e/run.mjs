// `E2E_ORDERBOARD=target/debug/orderboard node tests/e2e/run.mjs [words of a test's name, or of one's | or another's]`
// E2E_URL: a running server instead of an own one. E2E_SHOTS: where pictures go. E2E_PICTURES: where the README's go.
import { Browser } from './browser.mjs';
import { Server, until } from './server.mjs';
import { tests as access } from './access.mjs';
import { tests as board } from './board.mjs';
import { tests as contract } from './contract.mjs';
import { tests as desk } from './desk.mjs';
import { tests as docs } from './docs.mjs';
import { tests as joining } from './joining.mjs';
import { tests as market } from './market.mjs';
import { tests as network } from './network.mjs';
import { tests as notices } from './notices.mjs';
import { tests as office } from './office.mjs';
import { tests as paths } from './paths.mjs';
import { tests as payouts } from './payouts.mjs';
import { tests as pictures } from './pictures.mjs';
import { tests as recovery } from './recovery.mjs';
import { tests as speed } from './speed.mjs';
import { tests as tabs } from './tabs.mjs';

const TEST_MS = 180_000;
/** From the end of the last page to the end of its socket. */
const LEFT_MS = 20_000;
const wanted = process.argv.slice(2).join(' ').split('|').map((words) => words.trim());
const all = [...paths, ...contract, ...board, ...market, ...joining, ...payouts, ...notices, ...office, ...desk, ...tabs, ...network, ...recovery, ...docs, ...access, ...speed, ...pictures].filter((test) => wanted.some((words) => test.name.includes(words)));

const server = await Server.fromEnv();
const browser = await Browser.launch(server.url);
const atFirst = await server.metric('orderboard_sockets');
let passed = 0;
let failed = 0;

for (const { name, run, needsRestart } of all) {
  if (needsRestart && !server.restartable) {
    console.log(`skipped  ${name} (a server given by E2E_URL is not restarted)`);
    continue;
  }
  browser.complaints.length = 0;
  const began = Date.now();
  const contexts = new Set(browser.chromium.contexts());
  let limit;
  let failure = null;
  try {
    const late = new Promise((_, reject) => {
      limit = setTimeout(() => reject(new Error(`not done after ${TEST_MS} ms`)), TEST_MS);
    });
    await Promise.race([run({ server, browser }), late]);
    if (browser.complaints.length > 0) throw new Error(`the page complained:\n  ${browser.complaints.join('\n  ')}`);
  } catch (error) {
    failure = error;
    await picturesOf(name, contexts);
  }
  clearTimeout(limit);
  const ms = Date.now() - began;
  for (const context of browser.chromium.contexts()) if (!contexts.has(context)) await context.close();
  try {
    await left();
  } catch (error) {
    failure ??= error;
  }
  if (failure === null) passed += 1;
  else failed += 1;
  console.log(failure === null ? `passed   ${name} (${ms} ms)` : `FAILED   ${name}\n${failure.stack ?? failure}`);
}

if (browser.axeCounts.length > 0) {
  console.log('axe findings (all / serious and critical):');
  for (const { name, all: found, bad } of browser.axeCounts) console.log(`  ${name}: ${found} / ${bad}`);
}
await browser.close();
await server.dispose();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

/** A socket that outlives its page is a fault, and the next test would count it among its own. */
function left() {
  return until('the sockets end with their pages', LEFT_MS, async () => (await server.metric('orderboard_sockets')) <= atFirst);
}

/** What the pages looked like when it failed. */
async function picturesOf(name, before) {
  const pages = browser.chromium.contexts().filter((context) => !before.has(context)).flatMap((context) => context.pages());
  for (const [i, page] of pages.entries()) {
    await browser.shot(page, `failed-${name.replace(/\W+/g, '-').slice(0, 60)}-${i}`).catch(() => {});
  }
}
