/** Dates and times as they lie in row events, printed as the server prints them (times of day in UTC). */

import { putPadded, putTwo, putUnsigned } from '../change-file/encode.ts';

const DASH = 0x2d;
const BLANK = 0x20;
const COLON = 0x3a;
const POINT = 0x2e;

function putDate(out: Uint8Array, at: number, year: number, month: number, day: number): number {
  const century = (year / 100) | 0;
  at = putTwo(out, at, century);
  at = putTwo(out, at, year - century * 100);
  out[at++] = DASH;
  at = putTwo(out, at, month);
  out[at++] = DASH;
  return putTwo(out, at, day);
}

function putClock(out: Uint8Array, at: number, minute: number, second: number): number {
  out[at++] = COLON;
  at = putTwo(out, at, minute);
  out[at++] = COLON;
  return putTwo(out, at, second);
}

/** Bytes that hold so many digits of fractional seconds. */
export function fractionBytes(digits: number): number {
  return (digits + 1) >> 1;
}

/** Fractional seconds of DATETIME and TIMESTAMP: hundredths, ten-thousandths or millionths, big-endian. */
function putFraction(out: Uint8Array, at: number, from: Uint8Array, start: number, digits: number): number {
  if (digits === 0) return at;
  let value = 0;
  const end = start + fractionBytes(digits);
  for (let i = start; i < end; i++) value = value * 256 + (from[i] ?? 0);
  if ((digits & 1) === 1) value = (value / 10) | 0;
  out[at++] = POINT;
  return putPadded(out, at, value, digits);
}

/** DATE: 3 bytes, the day in the low 5 bits, the month in the next 4. */
export function putPackedDate(out: Uint8Array, at: number, from: Uint8Array, start: number): number {
  const value = (from[start] ?? 0) | ((from[start + 1] ?? 0) << 8) | ((from[start + 2] ?? 0) << 16);
  return putDate(out, at, value >> 9, (value >> 5) & 15, value & 31);
}

/** DATETIME(n): 1 bit sign, 17 year x 13 + month, 5 day, 5 hour, 6 minute, 6 second; then the fraction. */
export function putDatetime(out: Uint8Array, at: number, from: Uint8Array, start: number, digits: number): number {
  const b0 = from[start] ?? 0;
  const b1 = from[start + 1] ?? 0;
  const b2 = from[start + 2] ?? 0;
  const b3 = from[start + 3] ?? 0;
  const b4 = from[start + 4] ?? 0;
  const yearMonth = ((b0 & 0x7f) << 10) | (b1 << 2) | (b2 >> 6);
  const year = (yearMonth / 13) | 0;
  at = putDate(out, at, year, yearMonth - year * 13, (b2 >> 1) & 31);
  out[at++] = BLANK;
  at = putTwo(out, at, ((b2 & 1) << 4) | (b3 >> 4));
  at = putClock(out, at, ((b3 & 15) << 2) | (b4 >> 6), b4 & 63);
  return putFraction(out, at, from, start + 5, digits);
}

/** TIMESTAMP(n): seconds since 1970, big-endian, then the fraction; zero is the zero date. */
export function putTimestamp(out: Uint8Array, at: number, from: Uint8Array, start: number, digits: number): number {
  const seconds =
    (((from[start] ?? 0) << 24) |
      ((from[start + 1] ?? 0) << 16) |
      ((from[start + 2] ?? 0) << 8) |
      (from[start + 3] ?? 0)) >>>
    0;
  if (seconds === 0) {
    at = putDate(out, at, 0, 0, 0);
    out[at++] = BLANK;
    at = putClock(out, putTwo(out, at, 0), 0, 0);
  } else {
    const days = (seconds / 86400) | 0;
    const rest = seconds - days * 86400;
    at = putDay(out, at, days);
    out[at++] = BLANK;
    const hour = (rest / 3600) | 0;
    const minute = ((rest - hour * 3600) / 60) | 0;
    at = putClock(out, putTwo(out, at, hour), minute, rest - hour * 3600 - minute * 60);
  }
  return putFraction(out, at, from, start + 4, digits);
}

/** The date so many days after 1970-01-01, by the era arithmetic of the proleptic Gregorian calendar (years begin in March). */
function putDay(out: Uint8Array, at: number, days: number): number {
  const shifted = days + 719468;
  const era = (shifted / 146097) | 0;
  const ofEra = shifted - era * 146097;
  const yearOfEra = ((ofEra - ((ofEra / 1460) | 0) + ((ofEra / 36524) | 0) - ((ofEra / 146096) | 0)) / 365) | 0;
  const ofYear = ofEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0));
  const monthFromMarch = ((5 * ofYear + 2) / 153) | 0;
  const day = ofYear - (((153 * monthFromMarch + 2) / 5) | 0) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return putDate(out, at, yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day);
}

/** TIME(n): a signed number around 0x800000…: hours 10 bits, minutes 6, seconds 6, then the fraction as part of the number. */
export function putTime(out: Uint8Array, at: number, from: Uint8Array, start: number, digits: number): number {
  let whole = (((from[start] ?? 0) << 16) | ((from[start + 1] ?? 0) << 8) | (from[start + 2] ?? 0)) - 0x800000;
  const bytes = fractionBytes(digits);
  let fraction = 0;
  for (let i = 0; i < bytes; i++) fraction = fraction * 256 + (from[start + 3 + i] ?? 0);
  if (whole < 0) {
    // Below zero the two parts are one two's complement number.
    if (fraction !== 0) {
      whole += 1;
      fraction = 256 ** bytes - fraction;
    }
    whole = -whole;
    out[at++] = DASH;
  }
  return putHours(out, at, whole, bytes === 0 ? 0 : fraction * 100 ** (3 - bytes), digits);
}

/** Hours (also beyond 24) in at least two digits, minutes and seconds packed as 10 + 6 + 6 bits; millionths cut to the digits. */
export function putHours(out: Uint8Array, at: number, packed: number, micros: number, digits: number): number {
  const hour = packed >> 12;
  at = hour < 100 ? putTwo(out, at, hour) : putUnsigned(out, at, hour);
  at = putClock(out, at, (packed >> 6) & 63, packed & 63);
  if (digits === 0) return at;
  out[at++] = POINT;
  return putPadded(out, at, Math.floor(micros / 10 ** (6 - digits)), digits);
}
