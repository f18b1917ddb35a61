import { expect, test } from 'vitest';
import { order } from '../hub/samples';
import { EVERYTHING, addressOf, countOf, isFiltered, isSearch, matcher, queryOf, readFilter } from './filter';

const report = { ...order(77), title: 'Сверстать отчёт', customer: { id: 1, name: 'Анна' }, category: 'design', price: 150_000, payout: 135_000 };
const fits = (part: Partial<typeof EVERYTHING>) => matcher({ ...EVERYTHING, ...part })(report);

test('all words are wanted, in any case, е for ё', () => {
  expect(fits({ text: 'ОТЧЕТ анна' })).toBe(true);
  expect(fits({ text: 'отчёт пётр' })).toBe(false);
  expect(fits({ text: '77' })).toBe(true);
  expect(fits({ text: '  ' })).toBe(true);
});

test('both ends of a range belong to it', () => {
  expect(fits({ price_min: 150_000, price_max: 150_000 })).toBe(true);
  expect(fits({ price_min: 150_001 })).toBe(false);
  expect(fits({ payout_max: 134_999 })).toBe(false);
  expect(fits({ category: 'design', assignment: 'first' })).toBe(true);
  expect(fits({ assignment: 'chosen' })).toBe(false);
});

test('a filter survives its address and is asked for in minor units', () => {
  const filter = { ...EVERYTHING, text: 'a lamp', category: 'repair', assignment: 'chosen' as const, sort: 'payout' as const, price_min: 150_050, payout_max: 900_000 };
  const address = addressOf(filter);
  expect(address).toMatchObject({ price_min: '1500.50', payout_max: '9000', price_max: '' });
  expect(readFilter((name) => address[name])).toEqual(filter);
  expect(queryOf(filter)).toBe('q=a+lamp&category=repair&assignment=chosen&sort=payout&price_min=150050&payout_max=900000');
  expect(countOf(filter)).toBe(3);
});

test('an address that cannot be read filters nothing', () => {
  const filter = readFilter((name) => ({ price_min: 'much', sort: 'cheapest', assignment: 'both' })[name]);
  expect(filter).toEqual(EVERYTHING);
  expect(isFiltered(filter)).toBe(false);
  expect([isSearch(filter), isSearch({ ...filter, sort: 'price' }), isSearch({ ...filter, text: ' ' }), isSearch({ ...filter, price_min: 1 })]).toEqual([false, true, false, false]);
});
