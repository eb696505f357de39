/**
 * The number of a change within its table (contract.md 1): 4 digits of run, 15 digits consecutive from 1 within the run.
 * It is a function of the binlog alone, so a change captured twice has the same number. In memory it is one bigint
 * (run x 10^15 + number), in text always 19 digits, so text order is number order.
 */

export type ChangeNumber = bigint;

const RUN = 1_000_000_000_000_000n;

export function changeNumber(run: number, number: number): ChangeNumber {
  return BigInt(run) * RUN + BigInt(number);
}

/** The run a number belongs to; a run ends where capture broke off, and only a load opens the next. */
export function runOf(number: ChangeNumber): number {
  return Number(number / RUN);
}

export function numberInRun(number: ChangeNumber): number {
  return Number(number % RUN);
}

/** 19 digits. */
export function formatChangeNumber(number: ChangeNumber): string {
  return number.toString().padStart(19, '0');
}

/** Reads the 19 digits of a number, or the 35 of a `cdc_seq` (16 digits of commit time before them). */
export function parseChangeNumber(text: string): ChangeNumber {
  if (!/^(\d{16})?\d{19}$/.test(text)) throw new RangeError(`"${text}" is not a change number`);
  return BigInt(text.slice(-19));
}
