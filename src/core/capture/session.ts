/**
 * Binlog events -> change files. A session starts at a checkpoint and gives the changes of each followed table their
 * numbers; it decides when files close (always at the end of a transaction) and moves the checkpoint behind them.
 */

import type { BinlogEvent, EventMark } from '../binlog/events.ts';
import { encodeRows } from '../binlog/row-decoder.ts';
import { formatTableName, type TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { changeHeader } from '../change-file/read.ts';
import { changeNumber } from '../change-number.ts';
import { reach } from '../crash-point.ts';
import { CdcError } from '../errors.ts';
import { type BinlogPosition, comparePositions } from '../position.ts';
import type { Progress } from '../progress.ts';
import type { Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import { type Checkpoint, type CheckpointWriter, type StopReason, tablesOf } from './checkpoint.ts';
import { type CommitTime, commitTime } from './commit-time.ts';
import { applyStatement } from './follow-statement.ts';
import { FollowedTable } from './followed-table.ts';
import { type PublishedFile, TableFile } from './table-file.ts';

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
  progress: Progress;
}

/** With no rows to write the checkpoint still follows the binlog, this much later: the server may purge, and `verify` sees where capture is. */
const IDLE_CHECKPOINT_MS = 1000;

export class CaptureSession {
  readonly #options: SessionOptions;
  readonly #tables: Map<string, FollowedTable>;
  readonly #scratchBase: string;
  #scratchFiles = 0;
  #checkpoint: Checkpoint;
  #position: BinlogPosition;
  /** Where the transaction or statement under way begins. */
  #start: BinlogPosition;
  #lastEvent: EventMark | undefined;
  #verifying: boolean;
  #inTransaction = false;
  #time: CommitTime | undefined;
  #timeMicros = Number.NaN;
  /** When the open files must close, or the checkpoint move. */
  #due: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #failure: unknown;

  private constructor(options: SessionOptions, tables: Map<string, FollowedTable>, scratchBase: string) {
    this.#scratchBase = scratchBase;
    this.#options = options;
    this.#tables = tables;
    this.#checkpoint = options.checkpoint;
    this.#position = options.checkpoint.position;
    this.#start = options.checkpoint.position;
    this.#lastEvent = options.checkpoint.lastEvent;
    this.#verifying = options.checkpoint.lastEvent !== undefined;
  }

  static async open(options: SessionOptions): Promise<CaptureSession> {
    const tables = new Map<string, FollowedTable>();
    for (const { name, entry } of tablesOf(options.checkpoint))
      tables.set(formatTableName(name), await FollowedTable.open(options.staging, name, entry));
    return new CaptureSession(
      options,
      tables,
      await options.staging.scratchPath(`capture-${options.lease.generation}`),
    );
  }

  /** Where to open the binlog: at the last event of the checkpoint, which is compared first. */
  get start(): BinlogPosition {
    const { lastEvent, position } = this.#checkpoint;
    return lastEvent === undefined ? position : { ...position, file: lastEvent.file, offset: lastEvent.offset };
  }

  wants(table: TableName): boolean {
    const followed = this.#tables.get(formatTableName(table));
    return followed !== undefined && followed.stopped === undefined;
  }

  /** Handles events strictly one after another; a returned promise pauses the stream. */
  onEvent(event: BinlogEvent): void | Promise<void> {
    if (this.#flushing !== undefined) return this.#flushing.then(() => this.onEvent(event));
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#verifying && event.kind !== 'rotate' && event.kind !== 'heartbeat') return this.#verify(event);
    switch (event.kind) {
      case 'begin':
        this.#inTransaction = true;
        this.#start = event.start;
        this.#setTime(event.timestamp);
        return;
      case 'rows':
        return this.#rows(event);
      case 'commit':
        return this.#transactionEnd(event.mark, event.position);
      case 'statement':
        return this.#statement(event);
      case 'unsupported':
        return this.#unsupported(event);
      case 'incident':
        throw new CdcError(
          'capture.incident',
          `the source reports an incident at ${this.#position.file}: ${event.message}; changes may be missing from the binlog`,
          {
            hint: 'cdc reload, for every table, once the source is sound',
          },
        );
      case 'heartbeat':
        return this.#heartbeat(event.position);
      case 'rotate':
        return;
    }
  }

  /** Ends the session at a boundary if it stands at one; what is not a whole transaction is given up and captured again. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flushing?.catch(() => undefined);
    if (!this.#inTransaction && this.#failure === undefined) await this.#flush();
    this.discard();
  }

  /** Drops what is not published. */
  discard(): void {
    clearTimeout(this.#timer);
    for (const table of this.#tables.values()) table.discardFile();
  }

  #verify(event: Exclude<BinlogEvent, { kind: 'rotate' | 'heartbeat' }>): void {
    const expected = this.#checkpoint.lastEvent;
    const mark = event.kind === 'commit' || event.kind === 'statement' ? event.mark : undefined;
    if (
      expected === undefined ||
      mark === undefined ||
      mark.offset !== expected.offset ||
      mark.timestamp !== expected.timestamp ||
      mark.checksum !== expected.checksum
    )
      throw new CdcError(
        'position.other-history',
        `resuming at ${expected?.file}:${expected?.offset}: the binlog there is not the one that was captured; the source was restored or replaced`,
        {
          hint: 'cdc replicate   # loads the tables again',
        },
      );
    this.#verifying = false;
  }

  #setTime(micros: number): void {
    if (micros === this.#timeMicros) return;
    this.#timeMicros = micros;
    this.#time = commitTime(micros);
  }

  #rows(event: Extract<BinlogEvent, { kind: 'rows' }>): void | Promise<void> {
    const table = this.#tables.get(formatTableName(event.table));
    if (table === undefined || table.stopped !== undefined || this.#isLoaded(table)) return;
    try {
      this.#append(table, event);
    } catch (error) {
      if (error instanceof CdcError && /^(row|table|type)\./.test(error.code)) {
        table.discardFile();
        this.#stop(table, {
          code: error.code,
          message: error.message,
          hint: `cdc reload ${formatTableName(table.name)}`,
        });
        return;
      }
      throw error;
    }
  }

  #append(table: FollowedTable, event: Extract<BinlogEvent, { kind: 'rows' }>): void {
    const decoder = table.decoderFor(event.table);
    if (table.file === undefined) {
      table.file = TableFile.open(`${this.#scratchBase}-${++this.#scratchFiles}`, changeHeader(table.definition));
      table.fileFirst = table.number + 1;
    }
    const time = this.#time ?? commitTime(0);
    const { changes } = encodeRows({
      event,
      decoder,
      out: table.file.out,
      ts: time.text,
      seqPrefix: time.digits + String(table.run).padStart(4, '0'),
      firstNumber: table.number + 1,
    });
    table.number += changes;
    table.file.spill();
    reach('capture.file-open');
    this.#closeWithin(this.#options.limits.maxDelayMs);
    if (table.file.size >= this.#options.limits.maxFileBytes) this.#due = 0;
  }

  /** The snapshot of a table loaded while others were followed lies ahead of where capture stands: its changes up to there are in the load. */
  #isLoaded(table: FollowedTable): boolean {
    return comparePositions(this.#start, table.saved.loadedAt) < 0;
  }

  #transactionEnd(mark: EventMark, position: BinlogPosition): void | Promise<void> {
    this.#inTransaction = false;
    this.#lastEvent = mark;
    this.#position = position;
    if (this.#due !== undefined && Date.now() >= this.#due) return this.#flush();
    this.#closeWithin(IDLE_CHECKPOINT_MS);
  }

  /** What lies between the last transaction and here changes no row; the position may pass it, the event to resume at stays. */
  #heartbeat(position: BinlogPosition): void {
    if (this.#inTransaction || comparePositions(position, this.#position) <= 0) return;
    this.#position = position;
    this.#closeWithin(0);
  }

  #statement(event: Extract<BinlogEvent, { kind: 'statement' }>): void | Promise<void> {
    if (!event.inTransaction) this.#start = event.start;
    const effects = applyStatement(
      event,
      [...this.#tables.values()].filter((table) => table.stopped === undefined && !this.#isLoaded(table)),
      {
        ...this.#options,
        server: this.#checkpoint.server,
      },
    );
    if (event.inTransaction) {
      for (const effect of effects) if (effect.kind === 'stop') this.#stopNow(effect.table, effect.reason);
      return;
    }
    this.#setTime(event.timestamp);
    const finish = async () => {
      // What was captured under the old definition is published before the new one begins.
      if (effects.some((effect) => effect.kind !== 'new-table')) await this.#flush();
      for (const effect of effects) {
        if (effect.kind === 'new-table') this.#options.onNewTable(effect.name);
        else if (effect.kind === 'stop') this.#stop(effect.table, effect.reason);
        else {
          await effect.publish(this.#options.staging, event.start);
          this.#options.onChanged(effect.table.name);
        }
      }
      this.#inTransaction = false;
      this.#lastEvent = event.mark;
      this.#position = event.position;
      await this.#flush();
    };
    if (effects.length > 0) return finish();
    return this.#transactionEnd(event.mark, event.position);
  }

  #unsupported(event: Extract<BinlogEvent, { kind: 'unsupported' }>): void {
    if (event.table !== undefined) {
      const table = this.#tables.get(formatTableName(event.table));
      if (table === undefined || table.stopped !== undefined || this.#isLoaded(table)) return;
      this.#stopNow(table, {
        code: 'event.unsupported',
        message: `${formatTableName(table.name)} was changed by ${event.what}, which this version does not follow`,
        hint: `cdc reload ${formatTableName(table.name)}`,
      });
      return;
    }
    throw new CdcError(
      'event.unsupported',
      `the binlog after ${this.#position.file}:${this.#position.offset} holds ${event.what}, which this version does not follow`,
      {
        hint: 'turn it off on the source (`cdc check` names the setting), then `cdc reload` every table',
      },
    );
  }

  #stopNow(table: FollowedTable, reason: StopReason): void {
    table.discardFile();
    this.#stop(table, reason);
  }

  #stop(table: FollowedTable, reason: StopReason): void {
    table.stopped = reason;
    this.#options.onStopped(table.name, reason);
    this.#due = 0;
  }

  /** Asks for a flush at the end of the transaction that is under way after this time, or before. */
  #closeWithin(ms: number): void {
    const at = Date.now() + ms;
    if (this.#due !== undefined && this.#due <= at) return;
    this.#due = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // In the middle of a transaction its end will see that the time has come.
      if (this.#inTransaction || this.#flushing !== undefined) return;
      this.#flush().catch((error: unknown) => {
        this.#failure = error;
        this.#options.onFailure(error);
      });
    }, ms);
  }

  /** Publishes the open files, then moves the checkpoint. Call between transactions only. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#publish().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #publish(): Promise<void> {
    const { lease, writer, staging, progress } = this.#options;
    clearTimeout(this.#timer);
    this.#due = undefined;
    await lease.assertHeld();
    const published: { table: FollowedTable; file: PublishedFile }[] = [];
    for (const table of this.#tables.values()) {
      if (table.file === undefined) continue;
      const { file } = table;
      table.file = undefined;
      let key: string;
      do key = tableFolder(table.name) + table.nextFileName(new Date());
      while (!(await file.publish(staging, key, () => reach('capture.synced'))));
      reach('capture.published');
      published.push({
        table,
        file: {
          key,
          size: file.size,
          first: changeNumber(table.run, table.fileFirst),
          last: table.last,
          changes: table.number - table.fileFirst + 1,
        },
      });
    }
    // Durable before the checkpoint moves: every file above. After it the binlog up to here may be forgotten.
    const tables = Object.fromEntries([...this.#tables].map(([key, table]) => [key, table.checkpoint()]));
    const checkpoint: Checkpoint = {
      ...this.#checkpoint,
      position: this.#position,
      lastEvent: this.#lastEvent,
      lease: lease.generation,
      tables,
      writtenAt: new Date().toISOString(),
    };
    await writer.write(checkpoint);
    reach('capture.checkpointed');
    this.#checkpoint = checkpoint;
    for (const [key, table] of this.#tables) table.saved = tables[key] ?? table.saved;
    for (const { table, file } of published) {
      progress.detail(`published ${file.key}: ${file.changes} changes`);
      this.#options.onPublished(table.name, file);
    }
    this.#options.onCheckpoint(checkpoint);
  }
}
