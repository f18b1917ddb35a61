import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const notes: number[] = [];
const shown: [string, string][] = [];
let alerts: typeof import('./alerts');

class FakeContext {
  state = 'suspended';
  currentTime = 0;
  destination = {};
  resume() {
    this.state = 'running';
    return Promise.resolve();
  }
  createOscillator() {
    return { frequency: { value: 0 }, connect: (next: unknown) => next, start: (at: number) => notes.push(at), stop: () => {} };
  }
  createGain() {
    const set = () => {};
    return { gain: { setValueAtTime: set, linearRampToValueAtTime: set, exponentialRampToValueAtTime: set }, connect: (next: unknown) => next };
  }
}

beforeEach(async () => {
  notes.length = shown.length = 0;
  vi.resetModules();
  vi.stubGlobal('AudioContext', FakeContext);
  vi.stubGlobal('navigator', { userActivation: { hasBeenActive: true } });
  alerts = await import('./alerts');
});
afterEach(() => vi.unstubAllGlobals());

test('nothing is heard before somebody has pressed something', async () => {
  vi.stubGlobal('navigator', { userActivation: { hasBeenActive: false } });
  expect(await alerts.chime(0, 'by news')).toBe(false);
  expect(notes).toEqual([]);
});

test('a burst of orders is one chime, and a press is heard at once all the same', async () => {
  expect(await alerts.chime(10_000, 'by news')).toBe(true);
  const one = notes.length;
  expect(await alerts.chime(11_000, 'by news')).toBe(false);
  expect(await alerts.chime(11_500, 'by a press')).toBe(true);
  expect(await alerts.chime(13_000, 'by news')).toBe(true);
  expect(notes).toHaveLength(3 * one);
});

test('the system shows only what it may, and a browser that cannot is no error', () => {
  const notification = (permission: string, make: (text: string, options: { tag: string }) => void) => {
    vi.stubGlobal('Notification', Object.assign(vi.fn(function (this: unknown, text: string, options: { tag: string }) {
      make(text, options);
    }), { permission }));
  };
  notification('denied', (text, { tag }) => shown.push([text, tag]));
  alerts.showSystem('a', 't', () => {});
  expect(shown).toEqual([]);
  notification('granted', (text, { tag }) => shown.push([text, tag]));
  alerts.showSystem('a', 't', () => {});
  expect(shown).toEqual([['a', 't']]);
  notification('granted', () => {
    throw new TypeError('Illegal constructor');
  });
  alerts.showSystem('b', 't', () => {});
  expect(alerts.permission()).toBe('granted');
});
