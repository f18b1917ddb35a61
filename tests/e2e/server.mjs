// The server under test: spawned on a data directory of its own, killed and started again on the same
// port, so that a page meets what it would meet in an upgrade or a crash.
import { spawn, execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Telegram } from './telegram.mjs';

const READY_MS = 120_000;
const STOP_MS = 30_000;
const POLL_MS = 100;

export class Server {
  #child = null;
  #log = [];

  constructor(binary, url, data, telegram = null, more = {}) {
    this.binary = binary;
    this.url = url;
    this.data = data;
    /** What stands in for Telegram's server, where the server under test is our own. */
    this.telegram = telegram;
    this.more = more;
  }

  /** `E2E_URL` names a running server (nothing is spawned or killed); without it one is made. */
  static async fromEnv(env = process.env) {
    const binary = env.E2E_ORDERBOARD;
    if (!binary) throw new Error('E2E_ORDERBOARD must name the orderboard binary');
    if (env.E2E_URL) return new Server(binary, env.E2E_URL.replace(/\/$/, ''), null);
    return Server.fresh(binary);
  }

  /** One with data of its own, and `more` in its environment. */
  static async fresh(binary, more = {}) {
    const data = await mkdtemp(join(tmpdir(), 'orderboard-e2e-'));
    const server = new Server(binary, `http://127.0.0.1:${await freePort()}`, data, await Telegram.open(), more);
    await server.start();
    return server;
  }

  get restartable() {
    return this.data !== null;
  }

  get #env() {
    if (!this.restartable) return process.env;
    const listen = new URL(this.url).host;
    // Tests ask more often than people do.
    const own = { ORDERBOARD_DATA: this.data, ORDERBOARD_LISTEN: listen };
    return { ORDERBOARD_LIMITS: 'off', ...process.env, ...own, ...this.telegram.settings, ...this.more };
  }

  async start() {
    const child = spawn(this.binary, ['serve'], { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => this.#keep(String(part)));
    await until('the server is ready', READY_MS, async () => {
      if (child.exitCode !== null) throw new Error(`the server left with ${child.exitCode}:\n${this.#log.join('')}`);
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      return answer?.ok === true;
    });
  }

  /** SIGKILL is a crash, SIGTERM a rolling restart. Resolves when the process is gone. */
  async stop(signal = 'SIGTERM') {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(late);
  }

  async dispose() {
    if (!this.restartable) return;
    await this.stop();
    this.telegram.close();
    await rm(this.data, { recursive: true, force: true });
  }

  /** A signed-in user: `{ user_id, role, token }`. */
  async user(role, credit = 0) {
    const extra = credit > 0 ? ['--credit', String(credit)] : [];
    const args = ['user', 'token', '--count', '1', '--role', role, ...extra];
    const { stdout } = await promisify(execFile)(this.binary, args, { env: this.#env });
    const line = stdout.split('\n').find((one) => one.startsWith('{'));
    return JSON.parse(line);
  }

  /** Whether orders and money agree, as the command line tells it. */
  async audit() {
    await promisify(execFile)(this.binary, ['audit'], { env: this.#env });
  }

  async api(user, method, path, body) {
    const response = await fetch(this.url + path, {
      method,
      headers: { 'Content-Type': 'application/json', ...(user ? { Authorization: `Bearer ${user.token}` } : {}) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  post(customer, title, more = {}) {
    return this.api(customer, 'POST', '/api/orders', { title, description: '', price: 100_000, ...more });
  }

  /** Straight at the private database, for what nobody could do through the server. */
  async sql(statement) {
    if (!this.restartable) throw new Error('a server given by E2E_URL keeps its database to itself');
    const socket = join(this.data, 'run', 'mariadb.sock');
    await promisify(execFile)('mariadb', ['--no-defaults', `--socket=${socket}`, '--user=root', 'orderboard', `--execute=${statement}`]);
  }

  /** The sum of a metric over its labels. */
  async metric(name) {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  #keep(text) {
    this.#log.push(text);
    if (this.#log.length > 200) this.#log.shift();
  }
}

/** A Redis that forgets everything when it is killed; it comes back on the same port. */
export class RedisServer {
  static async start() {
    const redis = new RedisServer();
    redis.port = await freePort();
    redis.url = `redis://127.0.0.1:${redis.port}`;
    await redis.start();
    return redis;
  }

  async start() {
    const settings = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()];
    this.child = spawn('redis-server', settings, { stdio: 'ignore' });
    await until('Redis answers', READY_MS, () => new Promise((resolve) => {
      const probe = connect(this.port, '127.0.0.1', () => probe.end('PING\r\n'));
      probe.once('data', () => resolve(true)).once('error', () => resolve(false));
    }));
  }

  kill() {
    return kill(this.child);
  }
}

/** A MariaDB over the tables that a server of ours has made: what was committed is there when it comes back. */
export class DatabaseServer {
  constructor(data) {
    this.data = data;
    this.socket = join(data, 'killable.sock');
    this.url = `mysql://root@localhost/orderboard?socket=${this.socket}`;
  }

  async start() {
    // The log's size and the isolation as our own have it, which made these tables.
    const settings = [
      '--no-defaults', `--datadir=${join(this.data, 'mariadb')}`, `--tmpdir=${join(this.data, 'tmp')}`, `--socket=${this.socket}`, '--skip-networking', '--skip-log-bin',
      '--innodb-log-file-size=512M', '--transaction-isolation=READ-COMMITTED', '--default-time-zone=+00:00', ...(process.getuid() === 0 ? ['--user=root'] : []),
    ];
    // Debian keeps it where an ordinary user's PATH does not look.
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin`, LC_ALL: 'C' };
    this.child = spawn('mariadbd', settings, { stdio: 'ignore', env });
    await until('MariaDB answers', READY_MS, () => new Promise((resolve, reject) => {
      if (this.child.exitCode !== null) reject(new Error(`MariaDB left with ${this.child.exitCode}`));
      const probe = connect(this.socket);
      // It speaks first: a header of four bytes, then version 10 of its protocol.
      probe.once('data', (greeting) => resolve(greeting[3] === 0 && greeting[4] === 10) || probe.destroy()).once('error', () => resolve(false));
    }));
  }

  kill() {
    return kill(this.child);
  }
}

/** A server with a MariaDB and a Redis that can be killed under it. */
export async function killable(binary) {
  const redis = await RedisServer.start();
  const server = await Server.fresh(binary, { REDIS_URL: redis.url });
  await server.stop();
  const database = new DatabaseServer(server.data);
  await database.start();
  Object.assign(server.more, { DATABASE_URL: database.url, ORDERBOARD_MODE: 'development' });
  await server.start();
  const dispose = async () => {
    await server.stop();
    await Promise.all([database.kill(), redis.kill()]);
    await server.dispose();
  };
  return { server, database, redis, dispose };
}

/** SIGKILL; resolves when it is gone. */
async function kill(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Asks until the answer is true. For conditions outside of a page; inside one, Playwright waits. */
export async function until(what, limitMs, asked) {
  const end = Date.now() + limitMs;
  for (;;) {
    if (await asked()) return;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
