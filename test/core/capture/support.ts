/** One capture of a test: a staging folder on a test server, loads, captures to the end of the binlog, and the changes it published. */

import type { SourceAddress } from '../../../src/core/binlog/connection.ts';
import { type CaptureOptions, capture } from '../../../src/core/capture/capture.ts';
import { type Checkpoint, CheckpointWriter, readCheckpoint } from '../../../src/core/capture/checkpoint.ts';
import type { TableName } from '../../../src/core/change.ts';
import { CAPTURE_LEASE, tableFolder } from '../../../src/core/change-file/layout.ts';
import { readChanges } from '../../../src/core/change-file/read.ts';
import { numberInRun, parseChangeNumber, runOf } from '../../../src/core/change-number.ts';
import type { CdcError } from '../../../src/core/errors.ts';
import { loadTables } from '../../../src/core/pipeline/load-tables.ts';
import { silent } from '../../../src/core/progress.ts';
import { acquireLease } from '../../../src/core/store/lease.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import type { Store } from '../../../src/core/store/store.ts';
import type { TestServer } from '../../support/servers.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

export const PERSONS: TableName = { schema: 'shop', table: 'persons' };

export interface CaptureAllOptions extends Partial<Pick<CaptureOptions, 'truncate' | 'signal'>> {
  from?: Checkpoint | undefined;
  maxDelayMs?: number;
  /** What capture writes through, instead of staging itself. */
  store?: Store;
}

export interface Captured {
  checkpoint: Checkpoint;
  stopped: string[];
  newTables: string[];
  retries: CdcError[];
}

export class CaptureBench {
  readonly staging: Store;
  readonly #server: TestServer;

  private constructor(server: TestServer, folder: string) {
    this.#server = server;
    this.staging = openLocalStore(folder);
  }

  static async open(server: TestServer): Promise<CaptureBench> {
    return new CaptureBench(server, await temporaryFolder());
  }

  get #address(): SourceAddress {
    return { host: this.#server.host, port: this.#server.port, ...this.#server.cdc };
  }

  async load(tables: TableName[]): Promise<Checkpoint> {
    const { staging } = this;
    const lease = await acquireLease({ store: staging, folder: CAPTURE_LEASE, engine: 'cdc' });
    const { writer, current } = await CheckpointWriter.open(staging);
    try {
      return await loadTables({
        source: this.#address,
        staging,
        tables: tables.map((name) => ({ name, zeroDates: 'null' })),
        checkpoint: current,
        writer,
        lease,
        serverId: 4711,
        merge: true,
        ledgerRun: async () => 0,
        maxFileBytes: 64e6,
        signal: new AbortController().signal,
        progress: silent,
      });
    } finally {
      await lease.release();
    }
  }

  /** Captures from the checkpoint until the source's position is reached, or the signal fires, and stops in good order. */
  async captureAll(options: CaptureAllOptions = {}): Promise<Captured> {
    const { staging } = this;
    const told: Omit<Captured, 'checkpoint'> = { stopped: [], newTables: [], retries: [] };
    const lease = await acquireLease({ store: staging, folder: CAPTURE_LEASE, engine: 'cdc' });
    const { writer, current } = await CheckpointWriter.open(staging);
    const from = options.from ?? current;
    if (from === undefined) throw new Error('nothing loaded');
    const [end] = await this.#server.query('SHOW MASTER STATUS');
    const reached = new AbortController();
    const signals = [reached.signal, AbortSignal.timeout(20_000), ...(options.signal ? [options.signal] : [])];
    try {
      const checkpoint = await capture({
        source: async () => this.#address,
        serverId: 4711,
        staging: options.store ?? staging,
        checkpoint: from,
        writer,
        lease,
        limits: { maxFileBytes: 64e6, maxDelayMs: options.maxDelayMs ?? 50 },
        truncate: options.truncate ?? 'apply',
        acceptCascades: false,
        matches: () => true,
        onPublished() {},
        onChanged() {},
        onStopped: (table, reason) => told.stopped.push(`${table.table}: ${reason.code}`),
        onNewTable: (table) => told.newTables.push(table.table),
        onCheckpoint(written) {
          if (written.position.file === end?.File && written.position.offset >= Number(end.Position)) reached.abort();
        },
        onFollowing() {},
        onRetry: (error) => told.retries.push(error),
        onLag() {},
        progress: silent,
        signal: AbortSignal.any(signals),
      });
      return { ...told, checkpoint };
    } finally {
      await lease.release();
    }
  }

  /** `1:2 U 7 Ann`: run, number, op and values of every change, in the order of the files' names. */
  async changes(table: TableName = PERSONS): Promise<string[]> {
    const lines: string[] = [];
    for (const key of await this.files(table))
      for await (const row of readChanges(this.staging, key)) {
        const number = parseChangeNumber(row.seq ?? '');
        lines.push(
          [`${runOf(number)}:${numberInRun(number)}`, row.op, ...row.values.map((value) => value ?? 'NULL')].join(' '),
        );
      }
    return lines;
  }

  /** Keys of the table's change files. */
  async files(table: TableName = PERSONS): Promise<string[]> {
    return (await this.staging.list(`${tableFolder(table)}2`)).map(({ key }) => key);
  }

  checkpoint(): Promise<Checkpoint | undefined> {
    return readCheckpoint(this.staging);
  }
}
