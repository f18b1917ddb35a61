import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { hedged } from './hedge';

type Question = { answer: (text: string) => void; fail: (error: unknown) => void; signal: AbortSignal };

let questions: Question[];
const send = (signal: AbortSignal) => new Promise<string>((answer, fail) => questions.push({ answer, fail, signal }));
const ask = () => hedged(send, (error) => error === 'refused');

beforeEach(() => {
  vi.useFakeTimers();
  questions = [];
});
afterEach(() => vi.useRealTimers());

test('what is answered at once is asked once', async () => {
  const asked = ask();
  questions[0]!.answer('yes');
  expect(await asked).toBe('yes');
  vi.advanceTimersByTime(60_000);
  expect(questions).toHaveLength(1);
});

test('silence is asked again each second, the first answer counts, and the others are called back', async () => {
  const asked = ask();
  vi.advanceTimersByTime(2_500);
  expect(questions).toHaveLength(3);
  questions[1]!.answer('yes');
  expect(await asked).toBe('yes');
  expect(questions.every(({ signal }) => signal.aborted)).toBe(true);
  vi.advanceTimersByTime(60_000);
  expect(questions).toHaveLength(3);
});

test('a refusal is an answer', async () => {
  const asked = ask();
  vi.advanceTimersByTime(1_000);
  questions[1]!.fail('refused');
  await expect(asked).rejects.toBe('refused');
});

test('a question that failed does not speak for those still out', async () => {
  const asked = ask();
  vi.advanceTimersByTime(1_000);
  questions[0]!.fail('lost');
  await Promise.resolve();
  questions[1]!.answer('yes');
  expect(await asked).toBe('yes');
});

test('a server that is gone fails at once: when to come back is another matter', async () => {
  const asked = ask();
  questions[0]!.fail('lost');
  await expect(asked).rejects.toBe('lost');
  vi.advanceTimersByTime(60_000);
  expect(questions).toHaveLength(1);
});

test('at most seven are asked', () => {
  ask().catch(() => {});
  vi.advanceTimersByTime(60_000);
  expect(questions).toHaveLength(7);
});
