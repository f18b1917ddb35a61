import { expect, test } from 'vitest';
import { isFiltered, midnight, queryOf, type Filter } from './history';

const all: Filter = { account: 'wallet', kind: '', from: '', to: '' };

test('a day is meant from its first moment to its last, where the reader is', () => {
  const begin = midnight('2026-11-20')!;
  const end = midnight('2026-11-20', 1)!;
  expect([begin.getDate(), begin.getHours(), end.getDate(), end.getHours()]).toEqual([20, 0, 21, 0]);
  expect(midnight('2026-12-31', 1)!.getFullYear()).toBe(2027);
});

test('what is no day is no bound', () => {
  for (const day of ['', 'x', '2026-02-30', '2026-13-01', '20261120']) expect(midnight(day), day).toBeNull();
  expect(queryOf({ ...all, from: 'soon' }).toString()).toBe('currency=RUB');
  expect(isFiltered({ ...all, to: 'soon' })).toBe(false);
});

test('a filter becomes the query that the server understands', () => {
  const query = queryOf({ ...all, kind: 'topup', from: '2026-11-01', to: '2026-11-20' });
  expect(query.get('kind')).toBe('topup');
  expect(query.get('from')).toBe(midnight('2026-11-01')!.toISOString());
  expect(query.get('to')).toBe(midnight('2026-11-21')!.toISOString());
  expect(isFiltered({ ...all, kind: 'topup' })).toBe(true);
  expect(isFiltered(all)).toBe(false);
});
