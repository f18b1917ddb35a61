import { expect, test } from 'vitest';
import { formatMoney, moneyToInput, parseMoney } from './money';

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ');

test('sums are read as people write them', () => {
  expect(parseMoney('1234')).toBe(123_400);
  expect(parseMoney('1 234,50')).toBe(123_450);
  expect(parseMoney('1,234.5')).toBe(123_450);
  expect(parseMoney(' ₽ 0,05 ')).toBe(5);
  expect(parseMoney('9999999999999,99')).toBe(999_999_999_999_999);
});

test('what is not plainly one sum is refused, not guessed', () => {
  for (const text of ['', 'abc', '-5', '1.234', '1,2345', '12,34,56', '1e5', '0x10', '1..2', '99999999999999']) {
    expect(parseMoney(text), text).toBeNull();
  }
});

test('money is written in the reader\'s way', () => {
  expect(plain(formatMoney(123_450, 'RUB', 'ru'))).toBe('1 234,50 ₽');
  expect(plain(formatMoney(123_450, 'RUB', 'en'))).toBe('₽1,234.50');
  expect(plain(formatMoney(100_000, 'RUB', 'ru', 'short'))).toBe('1 000 ₽');
  expect(plain(formatMoney(5, 'RUB', 'ru'))).toBe('0,05 ₽');
  expect(plain(formatMoney(-123_450, 'RUB', 'ru'))).toBe('−1 234,50 ₽');
});

test('large sums keep every kopeck', () => {
  expect(plain(formatMoney(9_007_199_254_740_991, 'RUB', 'en'))).toBe('₽90,071,992,547,409.91');
});

test('a sum survives the way into an input and back', () => {
  for (const minor of [1, 99, 100, 123_450, 1_000_000]) {
    expect(parseMoney(moneyToInput(minor, ','))).toBe(minor);
    expect(parseMoney(moneyToInput(minor, '.'))).toBe(minor);
  }
});
