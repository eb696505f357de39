/** The merge's lease of one lake table: waited for a while, since whoever holds it is usually done in a moment. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { TableName } from '../change.ts';
import { mergeLease } from '../change-file/layout.ts';
import { CancelledError, CdcError } from '../errors.ts';
import { type AskRun, acquireLease, type Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';

export interface MergeLeaseRequest {
  lake: Store;
  table: TableName;
  /** Takes it from whoever holds it. */
  takeOver?: boolean;
  /** Asks Glue whether the run that holds it is over. */
  askRun?: AskRun | undefined;
  /** Half a minute unless told. */
  leaseWaitMs?: number;
  signal?: AbortSignal | undefined;
}

const RETRY_MS = 100;

/** Runs with the lease. Throws CdcError `lease.held` naming the holder that is still there after the wait. */
export async function withMergeLease<T>(request: MergeLeaseRequest, work: (lease: Lease) => Promise<T>): Promise<T> {
  const { lake, table, takeOver = false, askRun, leaseWaitMs = 30_000, signal } = request;
  const until = Date.now() + leaseWaitMs;
  for (;;) {
    let lease: Lease;
    try {
      lease = await acquireLease({ store: lake, folder: mergeLease(table), engine: 'cdc', takeOver, askRun, signal });
    } catch (error) {
      if (!(error instanceof CdcError) || error.code !== 'lease.held' || Date.now() >= until) throw error;
      await sleep(RETRY_MS, undefined, { ...(signal === undefined ? {} : { signal }) }).catch(() => {
        throw new CancelledError();
      });
      continue;
    }
    try {
      return await work(lease);
    } finally {
      await lease.release();
    }
  }
}
