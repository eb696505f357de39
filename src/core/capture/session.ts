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
import type { StopReason } from './checkpoint.ts';
import { type CommitTime, commitTime } from './commit-time.ts';
import { applyStatement, type StatementEffect } from './follow-statement.ts';
import type { FollowedTable } from './followed-table.ts';
import { Lag } from './lag.ts';
import { assertLastEvent, assertSameFile } from './resume-check.ts';
import type { SessionOptions } from './session-options.ts';
import { SessionPublisher } from './session-publisher.ts';
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
  readonly #publisher: SessionPublisher;
  /** Where the transaction or statement under way begins. */
  #start: BinlogPosition;
  /** The event that the checkpoint remembers has not come yet. */
  #resuming: boolean;
  #inTransaction = false;
  /** Tables that the transaction under way has changed. */
  readonly #touched = new Set<FollowedTable>();
  #isUntouched = true;
  /** Tables that it creates; told of once it is committed. */
  #created: TableName[] = [];
  #time: CommitTime | undefined;
  #timeMicros = Number.NaN;
  readonly #lag: Lag;

  private constructor(options: SessionOptions, tables: SessionTables, scratchBase: string) {
    const { checkpoint } = options;
    this.#scratchBase = scratchBase;
    this.#options = options;
    this.#tables = tables;
    this.#publisher = new SessionPublisher(options, tables, () => !this.#inTransaction);
    this.#start = checkpoint.position;
    this.#resuming = checkpoint.lastEvent !== undefined;
    this.#lag = new Lag(options.onLag);
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
    const { lastEvent, position } = this.#publisher.checkpoint;
    return lastEvent === undefined ? position : { ...position, file: lastEvent.file, offset: lastEvent.offset };
  }

  /** The binlog is the one that was captured, as far as anybody can tell. */
  get isConfirmed(): boolean {
    return !this.#resuming;
  }

  /** Nothing has come: another connection can go on with it. */
  get isUntouched(): boolean {
    return this.#isUntouched && this.#publisher.failure === undefined;
  }

  wants(table: TableName): boolean {
    return this.#tables.followed.has(formatTableName(table));
  }

  onFile(mark: BinlogFileMark): void {
    this.#isUntouched = false;
    assertSameFile(this.#publisher.checkpoint, mark);
    this.#publisher.beginFile(mark);
  }

  /** Handles events strictly one after another; a returned promise pauses the stream. */
  onEvent(event: BinlogEvent): void | Promise<void> {
    const { flushing, failure } = this.#publisher;
    if (flushing !== undefined) return flushing.then(() => this.onEvent(event));
    if (failure !== undefined) throw failure;
    if (this.#resuming && event.kind !== 'rotate' && event.kind !== 'heartbeat') {
      assertLastEvent(this.#publisher.checkpoint, event);
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
        throw incident(event.message, this.#publisher.position);
      case 'heartbeat':
        return this.#heartbeat(event.position);
      case 'rotate':
        return;
    }
  }

  /** Ends the session: whole transactions are published, the one under way is given up and captured again. */
  async close(): Promise<void> {
    await this.#publisher.rest();
    try {
      if (this.#publisher.failure !== undefined || this.#resuming) return;
      this.#cutOff();
      this.#inTransaction = false;
      await this.#publisher.flush();
    } finally {
      await this.discard();
    }
  }

  /** Drops what is not published; the next session begins at the checkpoint that a flush under way leaves. */
  async discard(): Promise<void> {
    await this.#publisher.rest();
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
    this.#publisher.within(table.file.size >= maxFileBytes ? 0 : maxDelayMs);
  }

  /** The snapshot of a table loaded while others were followed lies ahead of where capture stands: its changes up to there are in the load. */
  #isLoaded(table: FollowedTable): boolean {
    return comparePositions(this.#start, table.saved.loadedAt) < 0;
  }

  #transactionEnd(mark: EventMark, position: BinlogPosition): void | Promise<void> {
    this.#inTransaction = false;
    for (const table of this.#touched) table.markWhole();
    this.#touched.clear();
    this.#publisher.moveTo(position, mark);
    if (this.#created.length > 0) return this.#publisher.flush().then(() => this.#tellOfNewTables());
    if (this.#publisher.isDue) return this.#publisher.flush();
    this.#publisher.within(IDLE_CHECKPOINT_MS);
  }

  #tellOfNewTables(): void {
    for (const name of this.#created.splice(0)) this.#options.onNewTable(name);
  }

  /** What lies between the last transaction and here changes no row; the position may pass it, the event to resume at stays. */
  #heartbeat(position: BinlogPosition): void {
    if (this.#inTransaction || this.#resuming) return;
    this.#lag.atEnd();
    if (comparePositions(position, this.#publisher.position) <= 0) return;
    this.#publisher.moveTo(position);
    this.#publisher.within(0);
  }

  #statement(event: Extract<BinlogEvent, { kind: 'statement' }>): void | Promise<void> {
    if (!event.inTransaction) this.#start = event.start;
    const effects = applyStatement(
      event,
      [...this.#tables.followed.values()].filter((table) => !this.#isLoaded(table)),
      { ...this.#options, server: this.#publisher.checkpoint.server },
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
    if (effects.some((effect) => effect.kind !== 'new-table')) await this.#publisher.flush();
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
    this.#publisher.moveTo(event.position, event.mark);
    await this.#publisher.flush();
    this.#tellOfNewTables();
  }

  #unsupported(event: Extract<BinlogEvent, { kind: 'unsupported' }>): void {
    if (event.table === undefined) throw hidesAnything(event.what, this.#publisher.position);
    const table = this.#tables.followed.get(formatTableName(event.table));
    if (table !== undefined && !this.#isLoaded(table)) this.#stop(table, hidesTable(event.what, table.name));
  }

  /** Transactions before this one are published; of this one nothing. */
  #stop(table: FollowedTable, reason: StopReason): void {
    table.cutToWhole();
    this.#touched.delete(table);
    table.stopped = reason;
    table.stoppedAt = this.#publisher.position;
    this.#tables.park(table);
    this.#options.onStopped(table.name, reason);
    this.#publisher.within(0);
  }
}
