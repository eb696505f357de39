/** One start of a replication task: loads and follows a real MySQL with our own loader and capture, and writes what DMS would. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectSource } from '../../../src/core/binlog/connection.ts';
import { capture } from '../../../src/core/capture/capture.ts';
import { type Checkpoint, CheckpointWriter } from '../../../src/core/capture/checkpoint.ts';
import { formatTableName, type TableName } from '../../../src/core/change.ts';
import { readDefinitions } from '../../../src/core/change-file/definitions.ts';
import { CAPTURE_LEASE, tableFolder } from '../../../src/core/change-file/layout.ts';
import { readLoadRecords } from '../../../src/core/change-file/load-record.ts';
import { startAt } from '../../../src/core/pipeline/start-at.ts';
import { formatPosition, parsePosition } from '../../../src/core/position.ts';
import { silent } from '../../../src/core/progress.ts';
import { loadTable } from '../../../src/core/snapshot/load-table.ts';
import { queryRows } from '../../../src/core/source/query.ts';
import { readDefinition } from '../../../src/core/source/read-definition.ts';
import { acquireLease } from '../../../src/core/store/lease.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { openS3Store } from '../../../src/core/store/s3.ts';
import { readShape, selectTables } from './dms-shape.ts';
import { DmsStandIn, type StandInState } from './dms-stand-in.ts';
import type { DmsTask, Kept, Statistics } from './dms-task-given.ts';

/** Tells how the task gets on. */
type Say = (line: object) => void;

const POLL_MS = 100;
const STATE_KEY = 'state.json';

export class DmsTaskRun {
  readonly #given: DmsTask;
  readonly #say: Say;
  readonly #own: ReturnType<typeof openLocalStore>;
  readonly #target: ReturnType<typeof openS3Store>;
  readonly #started = new Date();
  readonly #stop = new AbortController();
  #standIn: DmsStandIn;
  #tables: Statistics[] = [];
  #toReload: TableName[] = [];
  readonly #dropped = new Set<string>();

  constructor(given: DmsTask, say: Say) {
    this.#say = say;
    this.#given = given;
    this.#own = openLocalStore(join(given.folder, 'own'));
    const { BucketName: bucket, BucketFolder: prefix } = given.target;
    this.#target = openS3Store({ bucket, prefix }, { cacheFolder: join(given.folder, 'cache') });
    this.#standIn = this.#newStandIn(undefined);
  }

  stop(): void {
    this.#stop.abort();
  }

  reload(tables: TableName[]): void {
    this.#toReload.push(...tables);
  }

  async run(): Promise<void> {
    const { kind, resumes, folder } = this.#given;
    if (!resumes) await rm(join(folder, 'own'), { recursive: true, force: true });
    const kept = await this.#own.getIfPresent(STATE_KEY);
    const before: Kept | undefined = kept === undefined ? undefined : JSON.parse(kept.toString());
    this.#standIn = this.#newStandIn(before?.standIn);
    this.#tables = (await this.#choose()).map(
      (name) =>
        before?.tables.find((one) => formatTableName(one) === formatTableName(name)) ?? {
          ...name,
          state: kind === 'cdc' ? 'Table completed' : 'Before load',
          rows: 0,
          reloaded: false,
          inserts: 0,
          updates: 0,
          deletes: 0,
          ddls: 0,
        },
    );
    this.#standIn.restart(this.#given.repeats, this.#tables);
    this.#tell();
    await this.#keep();
    if (kind === 'full-load') {
      await this.#loadAll();
      this.#say({ ended: !this.#stop.signal.aborted });
      return;
    }
    await this.#follow(before === undefined);
  }

  /** Follows from before the load on, and keeps what changes meanwhile until it is over. */
  async #follow(isNew: boolean): Promise<void> {
    const { kind, from } = this.#given;
    const signal = this.#stop.signal;
    const lease = await acquireLease({ store: this.#own, folder: CAPTURE_LEASE, engine: 'cdc', takeOver: true });
    const { writer, current } = await CheckpointWriter.open(this.#own);
    const followed = new Set(Object.keys(current?.tables ?? {}));
    const serverId = 1_000_000_000 + Math.floor(Math.random() * 1e9);
    let checkpoint: Checkpoint | undefined = current;
    const added = this.#tables.filter((table) => !followed.has(formatTableName(table)));
    if (added.length > 0)
      checkpoint = await startAt({
        at: isNew && from !== null ? parsePosition(from) : 'now',
        source: this.#address,
        staging: this.#own,
        tables: added.map(({ schema, table }) => ({ name: { schema, table }, zeroDates: 'null' })),
        checkpoint,
        writer,
        lease,
        serverId,
        merge: false,
        ledgerRun: async () => 0,
        signal: new AbortController().signal,
      });
    if (checkpoint === undefined) throw new Error('there is no table to follow');
    const chosen = new Set(this.#tables.map(formatTableName));
    let failure: unknown;
    const capturing = capture({
      source: async () => this.#address,
      serverId,
      staging: this.#own,
      checkpoint,
      writer,
      lease,
      limits: { maxFileBytes: 64e6, maxDelayMs: POLL_MS },
      truncate: 'apply',
      acceptCascades: true,
      matches: (table) => chosen.has(formatTableName(table)),
      onPublished: () => {},
      onChanged: () => {},
      // DMS counts a DROP, and waits for a table of that name.
      onStopped: (table, { code }) =>
        code === 'table.dropped'
          ? this.#dropped.add(formatTableName(table))
          : this.#update(table, { state: 'Table error' }),
      onNewTable: () => {},
      onCheckpoint: (written) => {
        checkpoint = written;
      },
      onFollowing: () => this.#say({ following: true }),
      onRetry: (error) => this.#say({ log: error.message }),
      onLag: () => {},
      progress: silent,
      signal,
    }).catch((error: unknown) => {
      failure = error;
      this.#stop.abort();
    });
    if (kind === 'full-load-and-cdc') await this.#loadAll();
    // What a resumed task repeats waits for nothing.
    for (const table of this.#tables) await this.#standIn.follow(table);
    while (!signal.aborted) {
      await this.#writeChanges(false);
      for (const table of this.#toReload.splice(0)) await this.#load(table, true);
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
    }
    await capturing;
    if (failure !== undefined) throw failure;
    // A task that stops writes what it has.
    await this.#writeChanges(true);
    await lease.release();
    this.#say({ checkpoint: formatPosition(checkpoint.position), ended: false });
  }

  async #loadAll(): Promise<void> {
    for (const table of this.#tables)
      if (!this.#stop.signal.aborted && table.state !== 'Table completed' && table.state !== 'Table error')
        await this.#load(table, false);
  }

  /** Row by row as it stands, without a lock: what changes meanwhile comes again as a change. */
  async #load(name: TableName, isReload: boolean): Promise<void> {
    this.#update(name, {
      state: isReload ? 'Table is being reloaded' : 'Full load',
      started: Date.now(),
      ended: undefined,
    });
    const connection = await connectSource(this.#address);
    try {
      const definition = await readDefinition(connection, name, { number: 0n, zeroDates: 'null' });
      const files = await loadTable({
        connection,
        definition,
        staging: this.#own,
        takenAt: this.#started,
        maxFileBytes: 64e6,
        progress: silent,
      });
      if (this.#given.settings.FullLoadSettings.TargetTablePrepMode !== 'DO_NOTHING')
        for (const { key } of await this.#target.list(tableFolder(name))) await this.#target.delete(key);
      const keys = files.map(({ key }) => key);
      const rows = await this.#standIn.load(definition, keys, { started: this.#started });
      this.#update(name, { state: 'Table completed', rows, reloaded: isReload, ended: Date.now() });
    } finally {
      connection.destroy();
    }
    await this.#keep();
  }

  async #writeChanges(isLast: boolean): Promise<void> {
    const { CdcMaxBatchInterval: seconds, CdcMinFileSize: kilobytes } = this.#given.target;
    for (const table of this.#tables) {
      const ddls = await this.#countDdl(table);
      if (ddls !== table.ddls) {
        this.#update(table, { ddls });
        await this.#keep();
      }
      const pending = await this.#standIn.pending(table);
      if (pending.length === 0) continue;
      const bytes = pending.reduce((sum, { size }) => sum + size, 0);
      const since = Math.min(...pending.map(({ modified }) => modified.getTime()));
      if (!isLast && bytes < kilobytes * 1024 && Date.now() - since < seconds * 1000) continue;
      const { inserts, updates, deletes } = await this.#standIn.follow(table);
      this.#update(table, {
        inserts: table.inserts + inserts,
        updates: table.updates + updates,
        deletes: table.deletes + deletes,
      });
      await this.#keep();
    }
  }

  /** What is no row: each set of columns after the first, each TRUNCATE, a DROP. Nothing of it comes into a file. */
  async #countDdl(table: TableName): Promise<number> {
    const columns = (await readDefinitions(this.#own, table)).length;
    const truncates = (await readLoadRecords(this.#own, table)).filter(({ kind }) => kind === 'truncate').length;
    return Math.max(0, columns - 1) + truncates + (this.#dropped.has(formatTableName(table)) ? 1 : 0);
  }

  async #choose(): Promise<TableName[]> {
    const connection = await connectSource(this.#address);
    try {
      const ask = (sql: string) => queryRows({ connection, sql, doing: 'asking the source', signal: undefined });
      if (this.#given.kind !== 'full-load') {
        const [row] = await ask('SELECT @@log_bin AS log, @@binlog_format AS format, @@binlog_row_image AS image');
        if (row?.log !== '1' || row.format !== 'ROW' || row.image !== 'FULL')
          throw new Error(`Binary Logging must be enabled for MySQL server: ${JSON.stringify(row)}`);
      }
      const rows = await ask(
        "SELECT table_schema AS s, table_name AS t FROM information_schema.tables WHERE table_type = 'BASE TABLE'",
      );
      const tables = rows.map(({ s, t }) => ({ schema: s ?? '', table: t ?? '' }));
      const chosen = selectTables(tables, this.#given.rules);
      if (chosen.length === 0)
        throw new Error(
          'No tables were found at task initialization. No match was found for the table selection pattern(s).',
        );
      return chosen;
    } finally {
      connection.destroy();
    }
  }

  get #address() {
    const { host, port, username: user, password, ca } = this.#given.source;
    return { host, port, user, password, ...(ca === null ? {} : { tls: { mode: 'verify' as const, ca } }) };
  }

  #newStandIn(state: StandInState | undefined): DmsStandIn {
    const { target, rules, settings } = this.#given;
    return new DmsStandIn({ from: this.#own, to: this.#target, shape: readShape(target, rules, settings), state });
  }

  #update(
    name: TableName,
    more: Partial<Omit<Statistics, 'started' | 'ended'>> & { started?: number; ended?: number | undefined },
  ): void {
    const table = this.#tables.find((one) => formatTableName(one) === formatTableName(name));
    if (table !== undefined) Object.assign(table, more);
    this.#tell();
  }

  #tell(): void {
    this.#say({ tables: this.#tables });
  }

  async #keep(): Promise<void> {
    await this.#own.put(
      STATE_KEY,
      JSON.stringify({ standIn: this.#standIn.state, tables: this.#tables } satisfies Kept),
    );
  }
}
