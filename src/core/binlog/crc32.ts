/** CRC32 as the binlog uses it; Node has its own from 20.15 and 22.2 on. */

import zlib from 'node:zlib';

/** The tables one after another: what a byte does to the checksum when 0 to 7 more bytes follow it. Eight bytes at once are four times as fast. */
const TABLES = new Uint32Array(8 * 256);
for (let i = 0; i < 256; i++) {
  let value = i;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  TABLES[i] = value;
}
for (let i = 256; i < TABLES.length; i++) {
  const before = TABLES[i - 256] ?? 0;
  TABLES[i] = (before >>> 8) ^ (TABLES[before & 0xff] ?? 0);
}

/** The tables' way; slower on long input, faster on short. */
export function tableCrc32(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  let at = start;
  for (; at + 7 < end; at += 8) {
    crc ^= (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    crc =
      (TABLES[1792 + (crc & 0xff)] ?? 0) ^
      (TABLES[1536 + ((crc >>> 8) & 0xff)] ?? 0) ^
      (TABLES[1280 + ((crc >>> 16) & 0xff)] ?? 0) ^
      (TABLES[1024 + (crc >>> 24)] ?? 0) ^
      (TABLES[768 + (bytes[at + 4] ?? 0)] ?? 0) ^
      (TABLES[512 + (bytes[at + 5] ?? 0)] ?? 0) ^
      (TABLES[256 + (bytes[at + 6] ?? 0)] ?? 0) ^
      (TABLES[bytes[at + 7] ?? 0] ?? 0);
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** A call into zlib costs as much as this many bytes by table. */
const SHORT = 300;

const native: ((data: Uint8Array) => number) | undefined = zlib.crc32;

/** CRC32 of `bytes` from `start` to `end` (exclusive). */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  if (native === undefined || end - start < SHORT) return tableCrc32(bytes, start, end);
  return native(bytes.subarray(start, end));
}
