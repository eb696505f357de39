/** Is the copy right? Compares lake tables with the source at one position, after everything up to it is merged. */

import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from 'mysql2/promise';
import { formatTableName, type TableName } from '../change.ts';
import type { Engine } from '../engine/engine.ts';
import { throwIfCancelled } from '../errors.ts';
import type { BinlogPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import { openSnapshot, type SnapshotTable } from '../snapshot/snapshot.ts';
import { openLocalStore } from '../store/local.ts';
import type { Store } from '../store/store.ts';
import { type Comparison, compareTable, type Difference } from './compare-table.ts';

export interface TableVerdict extends TableName {
  source_rows: number;
  lake_rows: number;
  missing: number;
  extra: number;
  different: number;
  /** The first keys of the rows that are not right. */
  keys: { kind: Difference['kind']; key: string[] }[];
}

export interface VerifyOptions {
  connect(): Promise<Connection>;
  tables: SnapshotTable[];
  lake: Store;
  engine: Engine;
  /** Returns when everything that the source committed up to the position is merged, or cannot be. */
  catchUp(position: BinlogPosition): Promise<void>;
  /** A folder for the time of the comparison. */
  scratchFolder: string;
  maxFileBytes: number;
  signal: AbortSignal;
  progress: Progress;
}

const KEYS_SHOWN = 10;
/** While the source is written to, the lake may be ahead of the snapshot: what differs is looked at this many times. */
const ROUNDS = 5;

/**
 * A row counts as wrong when it differs in two comparisons after each of which the lake's row was still the same: a row
 * that was merely being written has changed by then.
 */
export async function verifyTables(options: VerifyOptions): Promise<TableVerdict[]> {
  const folder = join(options.scratchFolder, `verify-${randomUUID()}`);
  try {
    const suspects = new Map<string, Comparison>();
    let tables = options.tables;
    const verdicts = new Map<string, TableVerdict>();
    for (let round = 1; tables.length > 0 && round <= ROUNDS; round++) {
      const compared = await compareAt(options, tables, join(folder, String(round)));
      const unsure: SnapshotTable[] = [];
      for (const table of tables) {
        const name = formatTableName(table.name);
        const now = compared.get(name);
        if (now === undefined) continue;
        const before = suspects.get(name);
        // After the last round a key that differed twice counts, whatever its row did: better one alarm too many.
        const isWrong = (key: string, difference: Difference) => {
          const seen = before?.differences.get(key);
          return seen !== undefined && (round === ROUNDS || seen.lakeRow === difference.lakeRow);
        };
        const sure = [...now.differences].flatMap(([key, difference]) =>
          isWrong(key, difference) ? [difference] : [],
        );
        verdicts.set(name, verdictOf(table.name, now, sure));
        suspects.set(name, now);
        // Nothing differs, or what differs has been seen twice and nothing else is left to look at again.
        if (now.differences.size > sure.length) unsure.push(table);
      }
      tables = unsure;
    }
    return options.tables.flatMap(({ name }) => verdicts.get(formatTableName(name)) ?? []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compareAt(
  options: VerifyOptions,
  tables: SnapshotTable[],
  folder: string,
): Promise<Map<string, Comparison>> {
  const { lake, engine, maxFileBytes, signal, progress } = options;
  const snapshot = await openSnapshot({ connect: options.connect, tables, signal, progress });
  try {
    await options.catchUp(snapshot.position);
    const compared = new Map<string, Comparison>();
    for (const table of snapshot.tables) {
      throwIfCancelled(signal);
      progress.update(`comparing ${formatTableName(table.name)}`);
      compared.set(
        formatTableName(table.name),
        await compareTable({
          snapshot,
          table,
          lake,
          scratch: openLocalStore(folder),
          engine,
          maxFileBytes,
          signal,
          progress,
        }),
      );
    }
    return compared;
  } finally {
    await snapshot.close();
  }
}

function verdictOf(name: TableName, compared: Comparison, wrong: Difference[]): TableVerdict {
  const count = (kind: Difference['kind']) => wrong.filter((difference) => difference.kind === kind).length;
  return {
    ...name,
    source_rows: compared.sourceRows,
    lake_rows: compared.lakeRows,
    missing: count('missing'),
    extra: count('extra'),
    different: count('different'),
    keys: wrong.slice(0, KEYS_SHOWN).map(({ kind, key }) => ({ kind, key })),
  };
}
