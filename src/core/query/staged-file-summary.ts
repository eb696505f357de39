/** What `files` says of a file in staging, and what it takes to say it. */

import type { Engine } from '../engine/engine.ts';
import type { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';

export interface StagedFileSummary {
  schema: string;
  table: string;
  /** Its key in staging. */
  file: string;
  kind: 'load' | 'changes' | 'unknown';
  rows: number | null;
  bytes: number;
  published: string;
  /** Change numbers, 19 digits; of a load the number it stands at. */
  first: string | null;
  last: string | null;
  /** Of a load: where in the binlog it was read. */
  position: string | null;
  /** `unpublished`: a load's file that no finished load lists. */
  state: 'merged' | 'pending' | 'unpublished' | 'unknown';
  /** The lake table's version that it was merged in; null where the ledger no longer says. */
  version: number | null;
}

export interface ListFilesOptions {
  staging: Store;
  lake: Store;
  appId: string;
  engine: Engine;
  /** A file of the table cannot be read: the table's files are listed by their names alone. */
  onUnreadable(error: CdcError): void;
  signal?: AbortSignal | undefined;
}
