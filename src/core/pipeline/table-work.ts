/** What the merge loop does with one table, bound to a pipeline: merge, and the upkeep that is due now and then. */

import type { TableName } from '../change.ts';
import type { Engine } from '../engine/engine.ts';
import type { KnownRanges } from '../merge/chain.ts';
import { expireChangeFiles } from '../merge/expire.ts';
import { maintainTable } from '../merge/maintain.ts';
import { mergeTable, type TableMergeReport } from '../merge/merge-table.ts';
import type { Progress } from '../progress.ts';
import type { Pipeline } from './pipeline.ts';

export interface TableLook {
  known: KnownRanges;
  /** Takes the change files from `known` alone and lists none. */
  trustKnown: boolean;
  /** Files up to this key are merged, and not looked at. */
  listAfter: string | undefined;
}

export interface TableWork {
  merge(table: TableName, look: TableLook): Promise<TableMergeReport>;
  maintain(table: TableName): Promise<void>;
}

/** Whoever has the lease of one table holds up the others no longer than this. */
const LEASE_WAIT_MS = 1000;

export function tableWork(options: {
  pipeline: Pipeline;
  engine: Engine;
  progress: Progress;
  signal: AbortSignal;
}): TableWork {
  const { pipeline, engine, progress, signal } = options;
  const keepMs = pipeline.config.staging.keepMs;
  const shared = { engine, signal, leaseWaitMs: LEASE_WAIT_MS };
  return {
    merge: (table, look) => mergeTable({ ...pipeline.mergeOf(table), ...look, ...shared, progress }),
    async maintain(table) {
      await maintainTable({ ...pipeline.mergeOf(table), ...shared });
      await expireChangeFiles({ ...pipeline.mergeOf(table), keepMs, engine, signal });
    },
  };
}

/** For a worker that only captures: somebody else merges, and the upkeep is ours all the same. */
export function withoutMerging(work: TableWork): TableWork {
  const nothing = { files: 0, changes: 0, inserted: 0, updated: 0, deleted: 0, quarantined: 0, bytesWritten: 0 };
  return { ...work, merge: async (table) => ({ ...table, ...nothing, version: -1, seconds: 0, already: true }) };
}
