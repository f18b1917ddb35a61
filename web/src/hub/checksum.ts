/** The proof a board's copy is right: CRC-32 (IEEE) of `id:version,` over its orders, newest first. */

const TABLE = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  }
  TABLE[byte] = remainder;
}

/** CRC-32 of an ASCII string, continued from `crc` (the value an earlier call returned). */
export function crc32(text: string, crc = 0): number {
  let remainder = ~crc;
  for (let i = 0; i < text.length; i++) {
    remainder = (remainder >>> 8) ^ TABLE[(remainder ^ text.charCodeAt(i)) & 0xff]!;
  }
  return ~remainder >>> 0;
}

/** The checksum of a board; `orders` must be newest first. */
export function boardChecksum(orders: Iterable<{ id: number; version: number }>): number {
  let crc = 0;
  for (const order of orders) crc = crc32(`${order.id}:${order.version},`, crc);
  return crc;
}
