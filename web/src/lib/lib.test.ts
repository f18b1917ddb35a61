import { expect, test } from 'vitest';
import { pluralizer } from '../i18n/plural';
import { AttemptKey } from './api';
import { safeNext } from './next';
import { parsePercent, percentToInput } from './percent';
import { formatAge, formatLeft } from './time';

test('the key of a form stays for the same body and changes with it', () => {
  const key = new AttemptKey();
  const first = key.for({ title: 'a' });
  expect(key.for({ title: 'a' })).toBe(first);
  expect(key.for({ title: 'b' })).not.toBe(first);
  const second = key.for({ title: 'b' });
  key.done();
  expect(key.for({ title: 'b' })).not.toBe(second);
});

test('after signing in nobody is sent to another site', () => {
  expect(safeNext('/orders/mine')).toBe('/orders/mine');
  for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', null, 7]) expect(safeNext(next)).toBe('/');
});

test('rates are read in percent and kept in basis points', () => {
  expect(parsePercent('8,5')).toBe(850);
  expect(parsePercent('10 %')).toBe(1000);
  expect(parsePercent('100')).toBeNull();
  expect(percentToInput(850, ',')).toBe('8,5');
  expect(percentToInput(1000, '.')).toBe('10');
});

test('Russian plurals follow the language, not the number one', () => {
  const plural = pluralizer('ru');
  const forms = { one: '# заказ', few: '# заказа', many: '# заказов', other: '# заказа' };
  expect([1, 2, 5, 11, 21, 104].map((n) => plural(n, forms))).toEqual(['1 заказ', '2 заказа', '5 заказов', '11 заказов', '21 заказ', '104 заказа']);
});

test('ages are whole units and never from the future', () => {
  expect(formatAge(1000, 43_000, 'en')).toBe('42 sec');
  expect(formatAge(5000, 1000, 'en')).toBe('0 sec');
  expect(formatAge(0, 2 * 3_600_000, 'en')).toBe('2 hr');
});

test('what is left is told in its two largest units', () => {
  const day = 86_400_000;
  expect(formatLeft(day + 4 * 3_600_000 + 59_000, 0, 'en')).toBe('1 day 4 hr');
  expect(formatLeft(2 * day, 0, 'en')).toBe('2 days');
  expect(formatLeft(61_500, 0, 'en')).toBe('1 min 2 sec');
  expect(formatLeft(5_000, 1_000, 'ru')).toBe('4 с');
  expect(formatLeft(1_000, 5_000, 'en')).toBe('0 sec');
});
