/**
 * FLOAT and DOUBLE as text: the shortest digits that read back as the same 32 or 64 bits, laid out as the server lays out a
 * DOUBLE (`0.1`, `1e20`, `1.5e-16`). Load and binlog both print with these, so that a row is byte-equal either way.
 */

/** The shortest text that reads back as this 64-bit number. */
export function formatDouble(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  return layOut(String(value));
}

/** The shortest text that reads back as this 32-bit number; `value` is one that a FLOAT can hold. */
export function formatFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  // Any six digits survive a FLOAT, so with six found, fewer are found by dropping zeros; not so below the normal numbers.
  for (let digits = Math.abs(value) < 2 ** -126 ? 1 : 6; digits < 9; digits++) {
    let text = value.toPrecision(digits);
    if (!readsBackAs(text, value)) continue;
    if (digits === 6) text = stripZeros(text);
    return layOut(text);
  }
  return layOut(value.toPrecision(9));
}

const scratch = new DataView(new ArrayBuffer(8));

/** Whether a reader of 32-bit numbers gets this value, be it directly or by way of a 64-bit number. */
function readsBackAs(text: string, value: number): boolean {
  const read = Number(text);
  if (Math.fround(read) !== value) return false;
  // Half way between two 32-bit numbers after rounding to 64 bits: a direct reader may round the other way.
  scratch.setFloat64(0, read);
  return (scratch.getUint32(4) & 0x1fffffff) !== 0x10000000;
}

function stripZeros(text: string): string {
  const [mantissa = '', exponent] = text.split('e');
  const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  return exponent === undefined ? short : `${short}e${exponent}`;
}

/** The server uses an exponent below 10^-15 and for whole numbers from 10^15 on, and writes it without `+` and without zeros in front. */
function layOut(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text);
  if (match === null) return text;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const all = whole + fraction;
  const leading = /^0*/.exec(all)?.[0].length ?? 0;
  const digits = all.slice(leading).replace(/0+$/, '');
  // The value is 0.DIGITS x 10^point.
  const point = whole.length + Number(exponent) - leading;
  if (point < -14 || (point > 15 && digits.length <= point)) {
    const rest = digits.slice(1);
    return `${sign}${digits[0] ?? '0'}${rest === '' ? '' : `.${rest}`}e${point - 1}`;
  }
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return `${sign}${digits}${'0'.repeat(point - digits.length)}`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
