import { expect, test } from 'vitest';
import { readBound } from './bounds';

test('a sum is read as people write it, and an empty field is no rule', () => {
  expect([readBound('1500'), readBound(' 1 500,50 '), readBound('0'), readBound(''), readBound('  ')]).toEqual([150_000, 150_050, 0, null, null]);
});

test('what is no sum says why', () => {
  expect(['abc', '-5', '1.234', '1,50,0', '1e5', '5 or 6.'].map(readBound)).toEqual(Array(6).fill('malformed'));
  expect(readBound('123456789012345')).toBe('too_large');
});
