/** Which tables a worker follows, loads, leaves out or gives up: the configuration and the source against the checkpoint. Pure. */

import { type Checkpoint, type StopReason, tablesOf } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import type { Finding } from '../source/finding.ts';

export interface TableWishes {
  /** What the configuration asks for, exists, and has no finding against it. */
  wanted: readonly TableName[];
  /** Findings about tables that it asks for. */
  refused: readonly Finding[];
  /** Whether it asks for a table, be it there or not. */
  asks(table: TableName): boolean;
}

export interface TableChoice {
  /** To be loaded before they are followed. */
  load: TableName[];
  /** Followed on from the checkpoint. */
  follow: TableName[];
  /** In the checkpoint, and stopped: only `reload` brings them back. */
  stopped: TableName[];
  /** Followed until now, and what was found out about them forbids it. */
  halt: { table: TableName; reason: StopReason }[];
  /** In the checkpoint, no longer asked for. */
  removed: TableName[];
}

export function chooseTables(wishes: TableWishes, checkpoint: Checkpoint | undefined): TableChoice {
  const known = checkpoint?.broken === undefined ? checkpoint : undefined;
  const choice: TableChoice = { load: [], follow: [], stopped: [], halt: [], removed: [] };
  for (const table of wishes.wanted) {
    const entry = known?.tables[formatTableName(table)];
    if (entry === undefined || !entry.loaded) choice.load.push(table);
    else if (entry.stopped !== undefined) choice.stopped.push(table);
    else choice.follow.push(table);
  }
  const wanted = new Set(wishes.wanted.map(formatTableName));
  for (const { name, entry } of tablesOf(known)) {
    if (wanted.has(formatTableName(name))) continue;
    const reason = haltReason(name, wishes.refused);
    if (!wishes.asks(name) || !entry.loaded) choice.removed.push(name);
    else if (entry.stopped !== undefined) choice.stopped.push(name);
    else if (reason !== undefined) choice.halt.push({ table: name, reason });
    // Dropped, or altered into something that a load would refuse: the binlog says so in its turn, after the changes before it.
    else choice.follow.push(name);
  }
  return choice;
}

/** Only what the binlog does not show: from where a cascade may act, changes are missing. */
function haltReason(name: TableName, refused: readonly Finding[]): StopReason | undefined {
  const found = refused.find(({ code, table }) => code === 'table.cascade' && table === formatTableName(name));
  return (
    found && {
      code: found.code,
      message: `${formatTableName(name)}: ${found.message}`,
      hint: `${found.fix}; then cdc reload ${formatTableName(name)}`,
    }
  );
}
