/** The commit time of a transaction as it stands in change files: for people, never for order. */

export interface CommitTime {
  /** `cdc_ts`: `2026-11-22 10:15:30.123456`, UTC. */
  text: string;
  /** The first 16 digits of `cdc_seq`: `2026112210153012`, to 1/100 s. */
  digits: string;
}

/** `micros` is microseconds since the epoch. */
export function commitTime(micros: number): CommitTime {
  const iso = new Date(Math.floor(micros / 1000)).toISOString();
  const fraction = String(Math.floor(micros % 1_000_000)).padStart(6, '0');
  return {
    text: `${iso.slice(0, 10)} ${iso.slice(11, 19)}.${fraction}`,
    digits: `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}${fraction.slice(0, 2)}`,
  };
}
