import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Inbox, type Unpack } from './inbox';
import { unpack } from './platform';

function packed(text: string): ArrayBuffer {
  return Uint8Array.from(gzipSync(text)).buffer;
}

/** What an inbox says, and a way to wait for it. */
class Ear {
  said: string[] = [];
  #wake: () => void = () => {};
  constructor(private readonly count: number) {}
  hear(what: string) {
    this.said.push(what);
    if (this.said.length === this.count) this.#wake();
  }
  all(): Promise<void> {
    return this.said.length >= this.count ? Promise.resolve() : new Promise((done) => (this.#wake = done));
  }
}

function inbox(ear: Ear, how: Unpack | null = unpack): Inbox {
  return new Inbox(how, (text, heardMs) => ear.hear(`${heardMs} ${text}`), () => ear.hear('unreadable'));
}

test('text is read at once while nothing is being unpacked', () => {
  const ear = new Ear(2);
  const box = inbox(ear);
  box.put('a', 1);
  box.put('b', 2);
  expect(ear.said).toEqual(['1 a', '2 b']);
});

test('what arrives behind a packed message waits for it, each with the time it was heard', async () => {
  const long = 'Починить «принтер» 🖨 '.repeat(20_000);
  const ear = new Ear(7);
  const box = inbox(ear);
  box.put('first', 1);
  box.put(packed(long), 2);
  box.put('diff', 3);
  box.put(packed('second'), 4);
  box.put(packed('third'), 5);
  box.put('tick', 6);
  expect(ear.said).toEqual(['1 first']);
  await Promise.resolve();
  box.put('last', 7);
  await ear.all();
  expect(ear.said).toEqual(['1 first', `2 ${long}`, '3 diff', '4 second', '5 third', '6 tick', '7 last']);
});

test('the order holds whichever is unpacked first', async () => {
  const ear = new Ear(3);
  const turns: (() => void)[] = [];
  const box = inbox(ear, (bytes) => new Promise((done) => turns.push(() => done(`${bytes.byteLength}`))));
  box.put(new ArrayBuffer(5), 1);
  box.put(new ArrayBuffer(6), 2);
  box.put('text', 3);
  expect(turns).toHaveLength(1);
  turns[0]!();
  await Promise.resolve();
  await Promise.resolve();
  expect(ear.said).toEqual(['1 5']);
  turns[1]!();
  await ear.all();
  expect(ear.said).toEqual(['1 5', '2 6', '3 text']);
});

test('what cannot be unpacked is told and stops nothing', async () => {
  const whole = packed('x'.repeat(1_000));
  for (const broken of [new ArrayBuffer(0), new Uint8Array([1, 2, 3]).buffer, whole.slice(0, whole.byteLength - 9)]) {
    const ear = new Ear(2);
    const box = inbox(ear);
    box.put(broken, 1);
    box.put('next', 2);
    await ear.all();
    expect(ear.said).toEqual(['unreadable', '2 next']);
  }
});

test('who cannot unpack passes over what is packed', () => {
  const ear = new Ear(1);
  const box = inbox(ear, null);
  box.put(packed('x'), 1);
  box.put('text', 2);
  expect(ear.said).toEqual(['2 text']);
});
