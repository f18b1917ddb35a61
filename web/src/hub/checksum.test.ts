import { expect, test } from 'vitest';
import { boardChecksum, crc32 } from './checksum';

test('crc32 gives the known answer of the IEEE polynomial', () => {
  expect(crc32('123456789')).toBe(0xcbf43926);
  expect(crc32('')).toBe(0);
});

test('crc32 continued over parts equals crc32 of the whole', () => {
  expect(crc32('6789', crc32('12345'))).toBe(crc32('123456789'));
});

test("a board's checksum is that of id:version, over its orders in their order", () => {
  const orders = [{ id: 12, version: 3 }, { id: 9, version: 1 }];
  expect(boardChecksum(orders)).toBe(crc32('12:3,9:1,'));
  expect(boardChecksum([...orders].reverse())).not.toBe(boardChecksum(orders));
});
