/**
 * Binlog events -> change files. A session starts at a checkpoint and gives the changes of each followed table their
 * numbers; it decides when files close (always at the end of a transaction) and moves the checkpoint behind them.
 */

import type { BinlogEvent, BinlogFileMark, EventMark } from '../binlog/events.ts';
import { encodeRows } from '../binlog/row-decoder.ts';
import { formatTableName, type TableName } from '../change.ts';
import { changeHeader } from '../change-file/read.ts';
import { reach } from '../crash-point.ts';
import { CdcError } from '../errors.ts';
import { type BinlogPosition, comparePositions } from '../position.ts';
import type { Checkpoint, StopReason } from './checkpoint.ts';
import { type CommitTime, commitTime } from './commit-time.ts';
import { FlushClock } from './flush-clock.ts';
import { applyStatement, type StatementEffect } from './follow-statement.ts';
import type { FollowedTable } from './followed-table.ts';
import { Lag } from './lag.ts';
import { publishFiles } from './publish.ts';
import { assertLastEvent, assertSameFile } from './resume-check.ts';
import type { SessionOptions } from './session-options.ts';
import { openTables, type SessionTables } from './session-tables.ts';
import { TableFile } from './table-file.ts';
import { hidesAnything, hidesTable, incident } from './unsupported.ts';

/** With no rows to write the checkpoint still follows the binlog, this much later: the server may purge, and `verify` sees where capture is. */
const IDLE_CHECKPOINT_MS = 1000;

export class CaptureSession {
  readonly #options: SessionOptions;
  readonly #tables: SessionTables;
  readonly #scratchBase: string;
  #scratchFiles = 0;
  #checkpoint: Checkpoint;
  #position: BinlogPosition;
  /** Where the transaction or statement under way begins. */
  #start: BinlogPosition;
  #lastEvent: EventMark | undefined;
  #binlogFile: BinlogFileMark | undefined;
  /** The event that the checkpoint remembers has not come yet. */
  #resuming: boolean;
  #inTransaction = false;
  /** Tables that the transaction under way has changed. */
  readonly #touched = new Set<FollowedTable>();
  /** Tables that it creates; told of once it is committed. */
  #created: TableName[] = [];
  #time: CommitTime | undefined;
  #timeMicros = Number.NaN;
  readonly #lag: Lag;
  readonly #clock = new FlushClock(() => this.#flushInTime());
  #flushing: Promise<void> | undefined;
  #failure: unknown;

  private constructor(options: SessionOptions, tables: SessionTables, scratchBase: string) {
    const { checkpoint } = options;
    this.#scratchBase = scratchBase;
    this.#options = options;
    this.#tables = tables;
    this.#checkpoint = checkpoint;
    this.#position = checkpoint.position;
    this.#start = checkpoint.position;
    this.#lastEvent = checkpoint.lastEvent;
    this.#binlogFile = checkpoint.binlogFile;
    this.#resuming = checkpoint.lastEvent !== undefined;
    this.#lag = new Lag(options.onLag);
    // What could not be opened is stopped, and the checkpoint is to say so.
    if (tables.stoppedNow) this.#clock.within(0);
  }

  static async open(options: SessionOptions): Promise<CaptureSession> {
    const tables = await openTables(options);
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

  /** The binlog is the one that was captured, as far as anybody can tell. */
  get isConfirmed(): boolean {
    return !this.#resuming;
  }

  wants(table: TableName): boolean {
    return this.#tables.followed.has(formatTableName(table));
  }

  onFile(mark: BinlogFileMark): void {
    assertSameFile(this.#checkpoint, mark);
    this.#binlogFile = mark;
  }

  /** Handles events strictly one after another; a returned promise pauses the stream. */
  onEvent(event: BinlogEvent): void | Promise<void> {
    if (this.#flushing !== undefined) return this.#flushing.then(() => this.onEvent(event));
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#resuming && event.kind !== 'rotate' && event.kind !== 'heartbeat') {
      assertLastEvent(this.#checkpoint, event);
      this.#resuming = false;
      return;
    }
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
      case 'rollback':
        this.#cutOff();
        return this.#transactionEnd(event.mark, event.position);
      case 'statement':
        return this.#statement(event);
      case 'unsupported':
        return this.#unsupported(event);
      case 'incident':
        throw incident(event.message, this.#position);
      case 'heartbeat':
        return this.#heartbeat(event.position);
      case 'rotate':
        return;
    }
  }

  /** Ends the session: whole transactions are published, the one under way is given up and captured again. */
  async close(): Promise<void> {
    this.#clock.reset();
    await this.#flushing?.catch(() => undefined);
    try {
      if (this.#failure !== undefined || this.#resuming) return;
      this.#cutOff();
      this.#inTransaction = false;
      await this.#flush();
    } finally {
      await this.discard();
    }
  }

  /**
   * Drops what is not published. A flush under way is finished first: it writes down that all that was open is in files, and
   * the next session begins at the checkpoint it leaves.
   */
  async discard(): Promise<void> {
    this.#clock.reset();
    await this.#flushing?.catch(() => undefined);
    this.#tables.discardFiles();
  }

  /** The transaction under way counts for nothing. */
  #cutOff(): void {
    for (const table of this.#touched) table.cutToWhole();
    this.#touched.clear();
    this.#created = [];
  }

  #setTime(micros: number): void {
    if (micros === this.#timeMicros) return;
    this.#timeMicros = micros;
    this.#time = commitTime(micros);
    this.#lag.at(micros);
  }

  #rows(event: Extract<BinlogEvent, { kind: 'rows' }>): void {
    const table = this.#tables.followed.get(formatTableName(event.table));
    if (table === undefined || this.#isLoaded(table)) return;
    try {
      this.#append(table, event);
    } catch (error) {
      if (!(error instanceof CdcError) || !/^(row|table|type)\./.test(error.code)) throw error;
      this.#stop(table, {
        code: error.code,
        message: error.message,
        hint: `cdc reload ${formatTableName(table.name)}`,
      });
    }
  }

  #append(table: FollowedTable, event: Extract<BinlogEvent, { kind: 'rows' }>): void {
    const decoder = table.decoderFor(event.table);
    if (table.file === undefined) {
      table.file = TableFile.open(`${this.#scratchBase}-${++this.#scratchFiles}`, changeHeader(table.definition));
      table.fileFirst = table.number + 1;
    }
    this.#touched.add(table);
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
    const { maxFileBytes, maxDelayMs } = this.#options.limits;
    this.#clock.within(table.file.size >= maxFileBytes ? 0 : maxDelayMs);
  }

  /** The snapshot of a table loaded while others were followed lies ahead of where capture stands: its changes up to there are in the load. */
  #isLoaded(table: FollowedTable): boolean {
    return comparePositions(this.#start, table.saved.loadedAt) < 0;
  }

  #transactionEnd(mark: EventMark, position: BinlogPosition): void | Promise<void> {
    this.#inTransaction = false;
    for (const table of this.#touched) table.markWhole();
    this.#touched.clear();
    this.#lastEvent = mark;
    this.#position = position;
    if (this.#created.length > 0) return this.#flush().then(() => this.#tellOfNewTables());
    if (this.#clock.isDue) return this.#flush();
    this.#clock.within(IDLE_CHECKPOINT_MS);
  }

  #tellOfNewTables(): void {
    for (const name of this.#created.splice(0)) this.#options.onNewTable(name);
  }

  /** What lies between the last transaction and here changes no row; the position may pass it, the event to resume at stays. */
  #heartbeat(position: BinlogPosition): void {
    if (this.#inTransaction || this.#resuming) return;
    this.#lag.atEnd();
    if (comparePositions(position, this.#position) <= 0) return;
    this.#position = position;
    this.#clock.within(0);
  }

  #statement(event: Extract<BinlogEvent, { kind: 'statement' }>): void | Promise<void> {
    if (!event.inTransaction) this.#start = event.start;
    const effects = applyStatement(
      event,
      [...this.#tables.followed.values()].filter((table) => !this.#isLoaded(table)),
      { ...this.#options, server: this.#checkpoint.server },
    );
    if (event.inTransaction) return this.#withinTransaction(effects);
    this.#setTime(event.timestamp);
    if (effects.length === 0) return this.#transactionEnd(event.mark, event.position);
    return this.#apply(event, effects);
  }

  /** CREATE TABLE … SELECT, and whatever else comes with rows of its own. */
  #withinTransaction(effects: StatementEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'new-table') this.#created.push(effect.name);
      else if (effect.kind === 'stop') this.#stop(effect.table, effect.reason);
      else
        this.#stop(effect.table, {
          code: 'statement.unknown',
          message: `${formatTableName(effect.table.name)}: its definition changes within a transaction`,
          hint: `cdc reload ${formatTableName(effect.table.name)}`,
        });
    }
  }

  async #apply(event: Extract<BinlogEvent, { kind: 'statement' }>, effects: StatementEffect[]): Promise<void> {
    // What was captured under the old definition is published before the new one begins.
    if (effects.some((effect) => effect.kind !== 'new-table')) await this.#flush();
    for (const effect of effects) {
      if (effect.kind === 'new-table') this.#created.push(effect.name);
      else if (effect.kind === 'stop') this.#stop(effect.table, effect.reason);
      else {
        await effect.publish(this.#options.staging, event.start);
        effect.table.markWhole();
        effect.table.markDurable();
        this.#options.onChanged(effect.table.name);
      }
    }
    this.#inTransaction = false;
    this.#lastEvent = event.mark;
    this.#position = event.position;
    await this.#flush();
    this.#tellOfNewTables();
  }

  #unsupported(event: Extract<BinlogEvent, { kind: 'unsupported' }>): void {
    if (event.table === undefined) throw hidesAnything(event.what, this.#position);
    const table = this.#tables.followed.get(formatTableName(event.table));
    if (table !== undefined && !this.#isLoaded(table)) this.#stop(table, hidesTable(event.what, table.name));
  }

  /** Transactions before this one are published; of this one nothing. */
  #stop(table: FollowedTable, reason: StopReason): void {
    table.cutToWhole();
    this.#touched.delete(table);
    table.stopped = reason;
    table.stoppedAt = this.#position;
    this.#tables.park(table);
    this.#options.onStopped(table.name, reason);
    this.#clock.within(0);
  }

  #flushInTime(): void {
    // In the middle of a transaction its end will see that the time has come.
    if (this.#inTransaction || this.#flushing !== undefined) return;
    this.#flush().catch((error: unknown) => {
      this.#failure = error;
      this.#options.onFailure(error);
    });
  }

  /** Publishes the open files, then moves the checkpoint. Call between transactions only. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#publish().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #publish(): Promise<void> {
    this.#clock.reset();
    const { lease: _, tables: __, writtenAt: ___, ...rest } = this.#checkpoint;
    const published = await publishFiles({
      ...this.#options,
      tables: this.#tables.open(),
      parked: this.#tables.parked,
      checkpoint: {
        ...rest,
        position: this.#position,
        lastEvent: this.#lastEvent,
        binlogFile: this.#binlogFile,
      },
    });
    this.#checkpoint = published.checkpoint;
    this.#tables.settle();
    for (const { table, file } of published.files) {
      this.#options.progress.detail(`published ${file.key}: ${file.changes} changes`);
      this.#options.onPublished(table.name, file);
    }
    this.#options.onCheckpoint(published.checkpoint);
  }
}
