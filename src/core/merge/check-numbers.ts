/** The chain of numbers inside a batch (contract.md 1): each once, a repetition the same, none missing. */

import { formatChangeNumber, numberInRun } from '../change-number.ts';
import type { EngineConnection } from '../engine/engine.ts';
import { CdcError } from '../errors.ts';
import { type CsvSource, namesSql, OURS } from './rows-sql.ts';
import { CHANGES, type NumberWindow, type StageOptions } from './stage.ts';

/**
 * Checks the changes' numbers: each once or repeated alike, none missing. A repetition (a file captured again) goes.
 * Throws `change.conflict`, `change.missing`.
 */
export async function checkNumbers(
  options: StageOptions,
  window: NumberWindow,
  sources: readonly CsvSource[],
): Promise<number> {
  const { connection, columns } = options;
  const [counts] = await connection.rows(
    `SELECT count(*) AS rows, count(DISTINCT ${OURS.number}) AS numbers FROM ${CHANGES}`,
  );
  const numbers = Number(counts?.numbers ?? 0);
  if (Number(counts?.rows ?? 0) !== numbers) {
    const all = `${OURS.number}, ${OURS.op}, ${namesSql(columns.map(({ lake }) => lake))}`;
    const conflicts = await connection.rows(
      `SELECT ${OURS.number}::VARCHAR AS number FROM (SELECT DISTINCT ${all} FROM ${CHANGES}) GROUP BY ${OURS.number} HAVING count(*) > 1 ORDER BY ${OURS.number} LIMIT 1`,
    );
    const number = conflicts[0]?.number;
    if (typeof number === 'string') {
      const files = await connection.rows(
        `SELECT DISTINCT ${OURS.file} AS file FROM ${CHANGES} WHERE ${OURS.number} = ${number} ORDER BY file`,
      );
      const labels = files.map(({ file }) => sources.find(({ path }) => path === file)?.label ?? String(file));
      throw new CdcError(
        'change.conflict',
        `reading changes: number ${numberInRun(BigInt(number))} has two contents, in ${labels.join(' and ')}`,
        { hint: 'two captures have written this table; stop one of them, then load the table again: cdc reload' },
      );
    }
    await connection.run(
      `DELETE FROM ${CHANGES} WHERE rowid NOT IN (SELECT min(rowid) FROM ${CHANGES} GROUP BY ${OURS.number})`,
    );
  }
  await checkNoneMissing(connection, window, sources);
  return numbers;
}

async function checkNoneMissing(
  connection: EngineConnection,
  { after, end, taken }: NumberWindow,
  sources: readonly CsvSource[],
): Promise<void> {
  const jumps = await connection.rows(
    `SELECT number::VARCHAR AS number, previous::VARCHAR AS previous FROM (` +
      `SELECT number, lag(number, 1, ${after}::UBIGINT) OVER (ORDER BY number) AS previous FROM (` +
      `SELECT ${OURS.number} AS number FROM ${CHANGES} UNION ALL SELECT ${end + 1n}::UBIGINT)) WHERE number <> previous + 1`,
  );
  for (const { number, previous } of jumps) {
    if (typeof number !== 'string' || typeof previous !== 'string') continue;
    for (let missing = BigInt(previous) + 1n; missing < BigInt(number); missing++) {
      if (taken.has(missing)) continue;
      // Between two files there is no gap, or the batch would not have been planned.
      const beside = await connection.rows(
        `SELECT DISTINCT ${OURS.file} AS file FROM ${CHANGES} WHERE ${OURS.number} IN (${previous}, ${number})`,
      );
      const labels = beside.map(({ file }) => sources.find(({ path }) => path === file)?.label ?? String(file));
      throw new CdcError(
        'change.missing',
        `reading ${labels.join(' and ')}: change ${numberInRun(missing)} (${formatChangeNumber(missing)}) is missing inside`,
        { hint: 'the file is damaged: bring it back from a copy, or load the table again: cdc reload' },
      );
    }
  }
}
