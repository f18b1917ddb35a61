import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const notes: number[] = [];
const made: FakeContext[] = [];
let works = true;
const shown: [string, string][] = [];
let alerts: typeof import('./alerts');

class FakeContext {
  state = 'suspended';
  constructor() {
    made.push(this);
  }
  currentTime = 0;
  destination = {};
  resume() {
    if (works) this.state = 'running';
    return Promise.resolve();
  }
  close() {
    this.state = 'closed';
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
  notes.length = shown.length = made.length = 0;
  works = true;
  vi.resetModules();
  vi.stubGlobal('AudioContext', FakeContext);
  vi.stubGlobal('navigator', { userActivation: { hasBeenActive: true } });
  alerts = await import('./alerts');
});
afterEach(() => vi.unstubAllGlobals());

test('nothing is heard before somebody has pressed something', () => {
  vi.stubGlobal('navigator', { userActivation: { hasBeenActive: false } });
  expect(alerts.chime(0, 'by news')).toBe(false);
  expect(notes).toEqual([]);
});

test('a burst of orders is one chime, and a press is heard at once all the same', () => {
  expect(alerts.chime(10_000, 'by news')).toBe(true);
  const one = notes.length;
  expect(alerts.chime(11_000, 'by news')).toBe(false);
  expect(alerts.chime(11_500, 'by a press')).toBe(true);
  expect(alerts.chime(13_000, 'by news')).toBe(true);
  expect(notes).toHaveLength(3 * one);
});

test('sound that does not wake is given up, and the next chime begins anew', () => {
  vi.useFakeTimers();
  works = false;
  alerts.chime(0, 'by news');
  vi.advanceTimersByTime(2_000);
  expect(made.map((one) => one.state)).toEqual(['closed']);
  works = true;
  alerts.chime(10_000, 'by news');
  vi.advanceTimersByTime(2_000);
  expect(made.map((one) => one.state)).toEqual(['closed', 'running']);
  vi.useRealTimers();
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
