import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { HubMessage, TabMessage } from './messages';

const own = vi.hoisted(() => ({ serve: vi.fn() }));
vi.mock('./own', () => own);
vi.mock('./worker?sharedworker&url', () => ({ default: '/assets/worker.js' }));
const { HubClient } = await import('./client');

type Lock = { waiting: (() => unknown)[]; held: boolean };

/** Locks as the browser has them, as far as two ends need them: one holder, then whoever waits. */
class Locks {
  readonly all = new Map<string, Lock>();
  request(name: string, ...rest: unknown[]): Promise<unknown> {
    const callback = rest.at(-1) as () => unknown;
    const signal = (rest[0] as { signal?: AbortSignal }).signal;
    const lock = this.all.get(name) ?? { waiting: [], held: false };
    this.all.set(name, lock);
    return new Promise((resolve, reject) => {
      const granted = () => {
        lock.held = true;
        resolve(callback());
      };
      signal?.addEventListener('abort', () => {
        lock.waiting = lock.waiting.filter((one) => one !== granted);
        reject(new DOMException('aborted', 'AbortError'));
      });
      if (lock.held) lock.waiting.push(granted);
      else granted();
    });
  }
  /** Whoever held it is gone. */
  release(name: string): void {
    const lock = this.all.get(name)!;
    lock.held = false;
    lock.waiting.shift()?.();
  }
}

class FakePort {
  onmessage: ((event: { data: HubMessage }) => void) | null = null;
  said: TabMessage[] = [];
  closed = false;
  start() {}
  close() {
    this.closed = true;
  }
  postMessage(message: TabMessage) {
    this.said.push(message);
  }
  says(message: HubMessage) {
    this.onmessage?.({ data: message });
  }
  greets(boot: string) {
    const lock = `hub-${boot}`;
    void locks.request(lock, () => new Promise(() => {}));
    this.says({ kind: 'who', boot, lock });
  }
  kinds() {
    return this.said.map(({ kind }) => kind);
  }
}

let locks: Locks;
let ports: FakePort[];
let lost: ReturnType<typeof vi.fn<() => void>>;
let client: InstanceType<typeof HubClient>;

beforeEach(async () => {
  vi.useFakeTimers();
  locks = new Locks();
  ports = [];
  lost = vi.fn<() => void>();
  own.serve.mockClear();
  vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
  vi.stubGlobal('navigator', { locks });
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  vi.stubGlobal('SharedWorker', class {
    onerror: (() => void) | null = null;
    port = new FakePort();
    constructor() {
      ports.push(this.port);
    }
  });
  client = new HubClient('name', () => {}, lost);
  await client.start();
});
afterEach(() => {
  client.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a tab holds its lock before it says who it is', () => {
  const [mine] = [...locks.all.keys()];
  expect(locks.all.get(mine!)!.held).toBe(true);
  expect(ports[0]!.said).toEqual([]);
  ports[0]!.greets('a');
  expect(ports[0]!.said).toMatchObject([{ kind: 'hello', lock: mine }]);
});

test('a worker whose lock comes free is gone: another one is begun at once, and told what is watched', async () => {
  ports[0]!.greets('a');
  client.watch('all');
  locks.release('hub-a');
  expect(lost).toHaveBeenCalledOnce();
  expect(ports[0]!.closed).toBe(true);
  expect(ports).toHaveLength(2);
  ports[1]!.greets('b');
  expect(ports[1]!.said).toMatchObject([{ kind: 'hello', board: 'all' }]);
});

test('workers that keep dying are done without', async () => {
  ports[0]!.greets('a');
  locks.release('hub-a');
  ports[1]!.greets('b');
  locks.release('hub-b');
  await vi.waitFor(() => expect(own.serve).toHaveBeenCalledOnce());
  expect(ports).toHaveLength(2);
});

test('a worker that has answered in between is worth another try', async () => {
  for (const boot of ['a', 'b', 'c', 'd']) {
    ports.at(-1)!.greets(boot);
    ports.at(-1)!.says({ kind: 'pong', n: 1, boot });
    locks.release(`hub-${boot}`);
  }
  expect(ports).toHaveLength(5);
  expect(own.serve).not.toHaveBeenCalled();
});

test('a worker that never asks, or does not answer a ping, is given up', () => {
  vi.advanceTimersByTime(10_000);
  expect(ports).toHaveLength(2);
  ports[1]!.greets('a');
  // It froze: its lock stays, and it says nothing.
  vi.advanceTimersByTime(5_000);
  expect(ports[1]!.kinds()).toContain('ping');
  vi.advanceTimersByTime(3_000);
  expect(lost).toHaveBeenCalledTimes(2);
});

test('a tab that stopped waits for nobody', () => {
  ports[0]!.greets('a');
  client.stop();
  locks.release('hub-a');
  vi.advanceTimersByTime(60_000);
  expect(ports).toHaveLength(1);
  expect(lost).not.toHaveBeenCalled();
});
