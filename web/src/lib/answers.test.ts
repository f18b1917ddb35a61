import { expect, test } from 'vitest';
import { latestAnswers } from './answers';

const timing = (name: string, description: string, duration = 0) => ({ name, description, duration });
const entry = (path: string, startTime: number, serverTiming?: ReturnType<typeof timing>[]) => ({ name: `https://board.example${path}`, startTime, duration: 12.5, serverTiming });

test('answers are told newest first, without what was asked for', () => {
  const told = latestAnswers([
    entry('/api/categories', 10, [timing('source', 'memory'), timing('age', '', 640)]),
    entry('/api/orders?q=secret', 20, [timing('source', 'mysql'), timing('age', '', 0), timing('db', '2 statements', 3)]),
  ]);
  expect(told).toEqual([
    { askedMs: 20, path: '/api/orders', source: 'mysql', ageMs: 0, tookMs: 12.5 },
    { askedMs: 10, path: '/api/categories', source: 'memory', ageMs: 640, tookMs: 12.5 },
  ]);
});

test('files, refusals and what the browser does not tell of are left out', () => {
  expect(latestAnswers([entry('/assets/a.js', 1, []), entry('/api/me', 2), entry('/api/me', 3, [timing('total', '', 3)])])).toEqual([]);
});

test('of many only the latest are told', () => {
  const many = Array.from({ length: 200 }, (_, at) => entry('/api/me', at, [timing('source', 'mysql')]));
  const told = latestAnswers(many);
  expect(told.length).toBeLessThan(50);
  expect(told[0]!.askedMs).toBe(199);
});
