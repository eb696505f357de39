/** What a capture session is given, and whom it tells. */

import type { TableName } from '../change.ts';
import type { Progress } from '../progress.ts';
import type { Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import type { Checkpoint, CheckpointWriter, StopReason } from './checkpoint.ts';
import type { PublishedFile } from './table-file.ts';

export interface CaptureLimits {
  /** A file closes at the end of the transaction that brings it to this size. */
  maxFileBytes: number;
  /** A file closes at the end of a transaction this long after its first row. */
  maxDelayMs: number;
}

export interface SessionOptions {
  staging: Store;
  checkpoint: Checkpoint;
  writer: CheckpointWriter;
  lease: Lease;
  limits: CaptureLimits;
  /** What a TRUNCATE TABLE does: empties the lake table too, or stops the table. */
  truncate: 'apply' | 'stop';
  /** `capture.foreign_key_cascades: accept`: a foreign key that changes rows behind the binlog's back stops no table. */
  acceptCascades: boolean;
  /** Whether the configuration asks for a table; a new one that it asks for is reported by `onNewTable`. */
  matches(table: TableName): boolean;
  onPublished(table: TableName, file: PublishedFile): void;
  /** Something other than a file changed what merge will find: a definition, a truncation. */
  onChanged(table: TableName): void;
  onStopped(table: TableName, reason: StopReason): void;
  onNewTable(table: TableName): void;
  /** Publishing failed outside of `onEvent`: the session is over. */
  onFailure(error: unknown): void;
  /** A checkpoint was written. */
  onCheckpoint(checkpoint: Checkpoint): void;
  /** What is read now was committed then, and has not been read in time; undefined: capture is where the source is. */
  onLag(since: Date | undefined): void;
  progress: Progress;
}
