// docs/websocket.md against a real server: every message it shows, every command, every program. A page that people copy from
// must not rot.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Proxy } from './proxy.mjs';
import { until } from './server.mjs';

const WAIT_MS = 20_000;
const PAGE = new URL('../../docs/websocket.md', import.meta.url);
const PROTOCOL = new URL('../../web/src/hub/protocol.ts', import.meta.url);
const CLIENT = ['watch', 'unwatch', 'ping', 'auth'];

/** The fenced blocks of a language, in order, with the word behind it. */
async function blocks(language) {
  const text = await readFile(PAGE, 'utf8');
  const found = [...text.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)];
  return found.filter(([, of]) => of === language).map(([, , name, code]) => ({ name, code }));
}

/** A socket of the page's own, and everything it hears. */
async function talk(page) {
  await page.evaluate(() => new Promise((resolve, reject) => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`, 'orderboard.v1');
    globalThis.talk = { socket, heard: [] };
    socket.onmessage = ({ data }) => globalThis.talk.heard.push(typeof data === 'string' ? JSON.parse(data) : { type: 'packed' });
    socket.onclose = ({ code }) => globalThis.talk.heard.push({ type: 'closed', code });
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('no socket'));
  }));
  const heard = () => page.evaluate(() => globalThis.talk.heard);
  return {
    heard,
    say: (message) => page.evaluate((text) => globalThis.talk.socket.send(text), typeof message === 'string' ? message : JSON.stringify(message)),
    hears: (what, fits) => until(`the socket hears ${what}`, WAIT_MS, async () => (await heard()).some(fits)),
  };
}

/** What differs between an example and what the server really says; nothing where one of them is null or has no elements. */
function difference(example, actual, at) {
  if (example === null || actual === null) return [];
  if (Array.isArray(example) && Array.isArray(actual)) {
    return example.length === 0 || actual.length === 0 ? [] : difference(example[0], actual[0], `${at}[0]`);
  }
  if (typeof example !== typeof actual) return [`${at}: a ${typeof example} in the example, a ${typeof actual} on the wire`];
  if (typeof example !== 'object') return [];
  const names = new Set([...Object.keys(example), ...Object.keys(actual)]);
  return [...names].flatMap((name) => {
    if (!(name in example)) return [`${at}.${name} is on the wire and not in the example`];
    if (!(name in actual)) return [`${at}.${name} is in the example and not on the wire`];
    return difference(example[name], actual[name], `${at}.${name}`);
  });
}

async function messages({ server, browser }) {
  const examples = (await blocks('json')).map(({ code }) => JSON.parse(code));
  const shown = new Set(examples.map((one) => one.type));
  const known = (await readFile(PROTOCOL, 'utf8')).split('const REQUIRED')[1].matchAll(/^ {2}(\w+): \{/gm);
  for (const type of [...CLIENT, ...[...known].map(([, type]) => type)]) assert.ok(shown.has(type), `the page has no example of ${type}`);

  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  await server.post(customer, 'Shown in the snapshot', { category: 'repair' });
  const page = await browser.tab(await browser.person(null), '/');
  const socket = await talk(page);
  await socket.say({ type: 'auth', token: customer.token });
  await socket.hears('its user', (one) => one.type === 'hello' && one.user !== null);
  await socket.say({ type: 'watch', board: 'all' });
  await socket.hears('a snapshot', (one) => one.type === 'snapshot');
  const order = await server.post(customer, 'Shown in a diff', { category: 'repair' });
  await socket.hears('a diff', (one) => one.type === 'diff' && one.up.length > 0);
  await server.api(executor, 'POST', `/api/orders/${order.id}/accept`, {});
  await socket.hears('of the taking', (one) => one.type === 'diff' && one.rm.length > 0);
  await socket.hears('a notice', (one) => one.type === 'notice');
  await socket.hears('a tick', (one) => one.type === 'tick');

  const own = examples.filter((one) => CLIENT.includes(one.type));
  for (const message of own) await socket.say(message);
  await socket.say({ type: 'watch', board: 'category:nowhere' });
  await socket.hears('the refusal', (one) => one.code === 'unknown_board');
  await socket.hears('a pong', (one) => one.type === 'pong');
  await socket.hears('a packed snapshot', (one) => one.type === 'packed');
  const refused = (await socket.heard()).filter((one) => one.type === 'error').map((one) => one.code);
  assert.deepEqual(refused.sort(), ['unauthenticated', 'unknown_board'], 'what the page tells to say is refused');

  await server.stop('SIGTERM');
  await socket.hears('the drain', (one) => one.type === 'drain');
  await socket.hears('the end', (one) => one.type === 'closed');
  const heard = await socket.heard();
  await server.start();
  assert.equal(heard.find((one) => one.type === 'closed').code, 1012);
  const wrong = examples.filter((one) => !CLIENT.includes(one.type)).flatMap((example) => {
    const actual = heard.filter((one) => one.type === example.type && one.event === example.event);
    const best = actual.map((one) => difference(example, one, example.type)).sort((a, b) => a.length - b.length)[0];
    return best ?? [`${example.type} was never heard`];
  });
  assert.deepEqual(wrong, []);
}

async function commands({ server }) {
  const [{ code }] = await blocks('sh');
  const { stdout } = await promisify(execFile)('bash', ['-eu', '-c', code], { env: { ...process.env, B: server.url } });
  assert.match(stdout, /"orders":\[/);
  assert.match(stdout, /HTTP\/1\.1 101[\s\S]*"type":"hello"/);
}

async function console_({ server, browser }) {
  const customer = await server.user('customer', 10_000_000);
  const page = await browser.tab(await browser.person(null), '/');
  const said = [];
  page.on('console', async (message) => said.push(JSON.stringify(await message.args()[0]?.jsonValue().catch(() => null)) ?? ''));
  const program = (await blocks('js')).find((one) => one.name === 'console').code;
  await page.evaluate(program);
  await until('the console shows the board', WAIT_MS, () => said.some((line) => line.includes('"type":"snapshot"')));
  const watch = (await blocks('js')).find((one) => one.name === 'watch.mjs').code;
  await page.evaluate(`{${watch}}`);
  await until('the copy in the console is proved', WAIT_MS, () => said.some((line) => /orders, proved/.test(line)));
  await server.post(customer, 'Seen in the console');
  await until('the console shows the change', WAIT_MS, () => said.some((line) => /diff: Seen in the console/.test(line)));
}

async function program({ server }) {
  const customer = await server.user('customer', 10_000_000);
  const executor = await server.user('executor');
  await server.post(customer, 'Here before the program');
  const proxy = await Proxy.before(server);
  const place = await mkdtemp(join(tmpdir(), 'orderboard-docs-'));
  const file = join(place, 'watch.mjs');
  await writeFile(file, (await blocks('js')).find((one) => one.name === 'watch.mjs').code);
  const child = spawn(process.execPath, ['--no-warnings', '--experimental-websocket', file], {
    env: { ...process.env, BOARD: `${proxy.url.replace('http', 'ws')}/ws` }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (part) => (said += part));
  const says = (what) => until(`the program says ${what}`, WAIT_MS, () => what.test(said)).catch((error) => { throw new Error(`${error.message}; it said:\n${said}`); });
  try {
    await says(/^snapshot: \d+ orders$[\s\S]*orders, proved/m);
    const order = await server.post(customer, 'Posted for the program');
    await says(/^diff: Posted for the program/m);
    proxy.reset();
    await says(/^closed: 1006/m);
    await server.post(customer, 'Posted behind its back');
    await server.api(executor, 'POST', `/api/orders/${order.id}/accept`, {});
    said = '';
    proxy.heal();
    // Told what it missed, and nothing else.
    // In one diff, or in two when it is back before the news of the taking; besides, what a full board has room for again.
    await says(/^diff: (?:.*, )?Posted behind its back/m);
    await says(new RegExp(`^diff: .*\\[\\[${order.id},"taken"\\]\\]$[\\s\\S]*orders, proved`, 'm'));
    assert.ok(!said.includes('snapshot') && !said.includes('wrong'), said);
  } finally {
    child.kill();
    await proxy.close();
    await rm(place, { recursive: true, force: true });
  }
}

export const tests = [
  { name: 'the protocol page shows every message as it is on the wire', needsRestart: true, run: messages },
  { name: 'the protocol page tells commands that work', run: commands },
  { name: 'the protocol page has lines for the console that work under our policy', run: console_ },
  { name: 'the protocol page has a program that resumes and proves its copy', run: program },
];
