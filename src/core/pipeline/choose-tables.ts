/** Which tables a worker follows, loads, leaves out or gives up: the configuration and the source against the checkpoint. Pure. */

import { type Checkpoint, tablesOf } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';

export interface TableChoice {
  /** To be loaded before they are followed. */
  load: TableName[];
  /** Followed on from the checkpoint. */
  follow: TableName[];
  /** In the checkpoint, and stopped: only `reload` brings them back. */
  stopped: TableName[];
  /** In the checkpoint, no longer asked for (or no longer fit to be followed). */
  removed: TableName[];
}

/** `wanted`: what the configuration asks for, exists, and has no finding against it. */
export function chooseTables(wanted: TableName[], checkpoint: Checkpoint | undefined): TableChoice {
  const saved = checkpoint?.broken === undefined ? (checkpoint?.tables ?? {}) : {};
  const choice: TableChoice = { load: [], follow: [], stopped: [], removed: [] };
  for (const table of wanted) {
    const entry = saved[formatTableName(table)];
    if (entry === undefined || !entry.loaded) choice.load.push(table);
    else if (entry.stopped !== undefined) choice.stopped.push(table);
    else choice.follow.push(table);
  }
  const asked = new Set(wanted.map(formatTableName));
  for (const { name, entry } of checkpoint?.broken === undefined ? tablesOf(checkpoint) : []) {
    if (asked.has(formatTableName(name))) continue;
    // A dropped table no longer exists on the source: its stop stays in view.
    (entry.stopped === undefined ? choice.removed : choice.stopped).push(name);
  }
  return choice;
}
