// A real browser and what every test wants of it: signed-in contexts, an ear on the console and on the
// Content Security Policy, accessibility, pictures.
import { readFile, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// The page's own packages: the suite adds none.
const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const WAIT_MS = 20_000;
const DESKTOP = { width: 1280, height: 800 };

export class Browser {
  /** Everything a page complained of, with the test it happened in. */
  complaints = [];
  axeCounts = [];

  /** `without`: switches that Playwright would start it with. */
  static async launch(url, env = process.env, without = []) {
    const browser = new Browser();
    browser.url = url;
    browser.shots = env.E2E_SHOTS ?? null;
    if (browser.shots) await mkdir(browser.shots, { recursive: true });
    browser.axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
    browser.chromium = await chromium.launch({ executablePath: env.E2E_CHROMIUM ?? '/usr/bin/chromium', args: FLAGS, ignoreDefaultArgs: without });
    return browser;
  }

  /** One person's browser: tabs opened in it share a hub. */
  async person(user, { theme = 'light', lang = 'en', viewport = DESKTOP } = {}) {
    const context = await this.chromium.newContext({ viewport });
    context.setDefaultTimeout(WAIT_MS);
    const cookies = [{ name: 'lang', value: lang }, { name: 'theme', value: theme }];
    if (user) cookies.push({ name: 'sid', value: user.token, httpOnly: true, sameSite: 'Lax' });
    await context.addCookies(cookies.map((cookie) => ({ ...cookie, url: this.url })));
    return context;
  }

  /** `path` may be a whole address, of a proxy in between. */
  async tab(context, path, allow = []) {
    const page = await context.newPage();
    const complain = (text) => {
      if (!allow.some((pattern) => pattern.test(text))) this.complaints.push(`${new URL(page.url()).pathname}: ${text}`);
    };
    page.on('pageerror', (error) => complain(`exception: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complain(`console: ${message.text()}`);
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
      });
    });
    await page.goto(new URL(path, this.url).href);
    return page;
  }

  /** Serious and critical findings; the counts of all are kept for the report. */
  async accessible(page, name) {
    await settled(page);
    const had = await page.evaluate(() => 'axe' in globalThis);
    if (!had) await page.evaluate(this.axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const bad = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
    this.axeCounts.push({ name, all: violations.length, bad: bad.length });
    return bad.map((one) => `${name}: ${one.impact} ${one.id} (${one.nodes.length}): ${one.nodes[0]?.html.slice(0, 160)}`);
  }

  async shot(page, name) {
    if (!this.shots) return;
    await settled(page);
    await page.screenshot({ path: join(this.shots, `${name}.png`) });
  }

  close() {
    return this.chromium.close();
  }
}

/** Colours in the middle of a transition are neither of the two that were designed. */
function settled(page) {
  return page.evaluate(() =>
    Promise.all(
      document.getAnimations()
        .filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity)
        .map((animation) => animation.finished.catch(() => {})),
    ).then(() => {}),
  );
}

/** The page must not be loaded again for what follows: a mark that a reload would lose. */
export function mark(page) {
  return page.evaluate(() => void (globalThis.orderboardMark = true));
}

export function stillMarked(page) {
  return page.evaluate(() => globalThis.orderboardMark === true);
}

export const live = (page) => page.locator('[data-link="live"]').waitFor();
export const rowOf = (page, title) => page.locator('[data-row]').filter({ hasText: title });

/** Looks through the board from its end to its beginning, again and again, until the row is there: only what is near the screen is. */
export async function scrolledTo(page, row) {
  const list = page.locator('[data-list]');
  const until = Date.now() + WAIT_MS;
  for (let fromEnd = 0; (await row.count()) === 0 && Date.now() < until; fromEnd += 1) {
    const atTop = await list.evaluate(async (list, fromEnd) => {
      list.scrollTo({ top: list.scrollHeight - list.clientHeight * (1 + fromEnd / 2) });
      // Drawn on the frame after the one that hears of it.
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      return list.scrollTop === 0;
    }, fromEnd);
    if (atTop) fromEnd = -1;
  }
  await row.waitFor();
}
