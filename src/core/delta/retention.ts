/** How long a table keeps its old log and its removed files, as its properties say. */

import { CdcError } from '../errors.ts';

export const LOG_RETENTION = 'delta.logRetentionDuration';
export const DELETED_FILE_RETENTION = 'delta.deletedFileRetentionDuration';

const HOUR_MS = 3_600_000;
const UNITS: Record<string, number> = {
  week: 168 * HOUR_MS,
  day: 24 * HOUR_MS,
  hour: HOUR_MS,
  minute: 60_000,
  second: 1000,
  millisecond: 1,
  microsecond: 0.001,
};

/** How long old versions can be read; Delta's default is 30 days. */
export function logRetentionMs(configuration: Readonly<Record<string, string>>): number {
  return intervalMs(LOG_RETENTION, configuration[LOG_RETENTION] ?? 'interval 30 days');
}

/** How long a removed file stays on disk; Delta's default is a week. */
export function deletedFileRetentionMs(configuration: Readonly<Record<string, string>>): number {
  return intervalMs(DELETED_FILE_RETENTION, configuration[DELETED_FILE_RETENTION] ?? 'interval 1 week');
}

/** Reads `interval 1 day 12 hours`; months and years, whose length varies, are no retention for Delta either. */
function intervalMs(property: string, text: string): number {
  const words = text
    .trim()
    .toLowerCase()
    .replace(/^interval\s+/, '')
    .split(/\s+/);
  let total = 0;
  for (let index = 0; index < words.length; index += 2) {
    const amount = Number(words[index]?.replace(/^'|'$/g, ''));
    const unit = UNITS[(words[index + 1] ?? '').replace(/s?'?$/, '')];
    if (words[index] === '' || !Number.isFinite(amount) || amount < 0 || unit === undefined)
      throw new CdcError('lake.bad-property', `reading the table property ${property}: "${text}" is not a duration`, {
        hint: 'set it to a text like interval 1 day',
      });
    total += amount * unit;
  }
  return total;
}
