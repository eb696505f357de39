/** CRC32 as the binlog uses it; Node has its own from 20.15 and 22.2 on. */

import zlib from 'node:zlib';

const TABLE = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let value = i;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  TABLE[i] = value >>> 0;
}

/** The table's way; slower on long input, faster on short. */
export function tableCrc32(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  for (let i = start; i < end; i++) crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A call into zlib costs as much as this many bytes by table. */
const SHORT = 128;

const native: ((data: Uint8Array) => number) | undefined = zlib.crc32;

/** CRC32 of `bytes` from `start` to `end` (exclusive). */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  if (native === undefined || end - start < SHORT) return tableCrc32(bytes, start, end);
  return native(bytes.subarray(start, end));
}
