/**
 * Binlog events -> change files. A session starts at a checkpoint and gives the changes of each followed table their
 * numbers; it decides when files close (always at the end of a transaction) and moves the checkpoint behind them.
 */

import type { BinlogEvent, BinlogFileMark, EventMark, RowsBinlogEvent } from '../binlog/events.ts';
import { formatTableName, type TableName } from '../change.ts';
import { CdcError } from '../errors.ts';
import { type BinlogPosition, comparePositions } from '../position.ts';
import type { StopReason } from './checkpoint.ts';
import { applyStatement, type StatementEffect } from './follow-statement.ts';
import type { FollowedTable } from './followed-table.ts';
import { Lag } from './lag.ts';
import { assertLastEvent, assertSameFile } from './resume-check.ts';
import type { SessionOptions } from './session-options.ts';
import { SessionPublisher } from './session-publisher.ts';
import { openTables, type SessionTables } from './session-tables.ts';
import { Transaction } from './transaction.ts';
import { hidesAnything, hidesTable, incident } from './unsupported.ts';

/** With no rows to write the checkpoint still follows the binlog, this much later: the server may purge, and `verify` sees where capture is. */
const IDLE_CHECKPOINT_MS = 1000;

type Statement = Extract<BinlogEvent, { kind: 'statement' }>;

export class CaptureSession {
  readonly #options: SessionOptions;
  readonly #tables: SessionTables;
  readonly #publisher: SessionPublisher;
  readonly #transaction: Transaction;
  readonly #lag: Lag;
  /** The event that the checkpoint remembers has not come yet. */
  #resuming: boolean;
  #isUntouched = true;

  private constructor(options: SessionOptions, tables: SessionTables, scratchBase: string) {
    const { position, lastEvent } = options.checkpoint;
    this.#options = options;
    this.#tables = tables;
    this.#publisher = new SessionPublisher(options, tables, () => !this.#transaction.isOpen);
    this.#lag = new Lag(options.onLag);
    this.#transaction = new Transaction({ start: position, lag: this.#lag, scratchBase });
    this.#resuming = lastEvent !== undefined;
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
        return this.#transaction.begin(event.start, event.timestamp);
      case 'rows':
        return this.#rows(event);
      case 'commit':
        return this.#transactionEnd(event.mark, event.position);
      case 'rollback':
        this.#transaction.cutOff();
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
      this.#transaction.cutOff();
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

  #rows(event: RowsBinlogEvent): void {
    const table = this.#tables.followed.get(formatTableName(event.table));
    if (table === undefined || this.#transaction.isInLoadOf(table)) return;
    const { maxFileBytes, maxDelayMs } = this.#options.limits;
    try {
      const size = this.#transaction.append(table, event);
      this.#publisher.within(size >= maxFileBytes ? 0 : maxDelayMs);
    } catch (error) {
      if (!(error instanceof CdcError) || !/^(row|table|type)\./.test(error.code)) throw error;
      const { code, message } = error;
      this.#stop(table, { code, message, hint: `cdc reload ${formatTableName(table.name)}` });
    }
  }

  #transactionEnd(mark: EventMark, position: BinlogPosition): void | Promise<void> {
    const created = this.#transaction.end();
    this.#publisher.moveTo(position, mark);
    if (created.length > 0) return this.#publisher.flush().then(() => this.#tellOf(created));
    if (this.#publisher.isDue) return this.#publisher.flush();
    this.#publisher.within(IDLE_CHECKPOINT_MS);
  }

  #tellOf(created: TableName[]): void {
    for (const name of created) this.#options.onNewTable(name);
  }

  /** What lies between the last transaction and here changes no row; the position may pass it, the event to resume at stays. */
  #heartbeat(position: BinlogPosition): void {
    if (this.#transaction.isOpen || this.#resuming) return;
    this.#lag.atEnd();
    if (comparePositions(position, this.#publisher.position) <= 0) return;
    this.#publisher.moveTo(position);
    this.#publisher.within(0);
  }

  #statement(event: Statement): void | Promise<void> {
    if (!event.inTransaction) this.#transaction.begin(event.start, event.timestamp);
    const effects = applyStatement(
      event,
      [...this.#tables.followed.values()].filter((table) => !this.#transaction.isInLoadOf(table)),
      { ...this.#options, server: this.#publisher.checkpoint.server },
    );
    if (event.inTransaction) return this.#withinTransaction(effects);
    if (effects.length === 0) return this.#transactionEnd(event.mark, event.position);
    return this.#apply(event, effects);
  }

  /** CREATE TABLE … SELECT, and whatever else comes with rows of its own. */
  #withinTransaction(effects: StatementEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'new-table') this.#transaction.create(effect.name);
      else if (effect.kind === 'stop') this.#stop(effect.table, effect.reason);
      else
        this.#stop(effect.table, {
          code: 'statement.unknown',
          message: `${formatTableName(effect.table.name)}: its definition changes within a transaction`,
          hint: `cdc reload ${formatTableName(effect.table.name)}`,
        });
    }
  }

  /** Nothing is flushed of its own accord before the statement has taken effect whole. */
  async #apply(event: Statement, effects: StatementEffect[]): Promise<void> {
    // What was captured under the old definition is published before the new one begins.
    if (effects.some((effect) => effect.kind !== 'new-table')) await this.#publisher.flush();
    for (const effect of effects) {
      if (effect.kind === 'new-table') this.#transaction.create(effect.name);
      else if (effect.kind === 'stop') this.#stop(effect.table, effect.reason);
      else {
        await effect.publish(this.#options.staging, event.start);
        effect.table.markWhole();
        effect.table.markDurable();
        this.#options.onChanged(effect.table.name);
      }
    }
    const created = this.#transaction.end();
    this.#publisher.moveTo(event.position, event.mark);
    await this.#publisher.flush();
    this.#tellOf(created);
  }

  #unsupported(event: Extract<BinlogEvent, { kind: 'unsupported' }>): void {
    if (event.table === undefined) throw hidesAnything(event.what, this.#publisher.position);
    const table = this.#tables.followed.get(formatTableName(event.table));
    if (table !== undefined && !this.#transaction.isInLoadOf(table))
      this.#stop(table, hidesTable(event.what, table.name));
  }

  /** Transactions before this one are published; of this one nothing. */
  #stop(table: FollowedTable, reason: StopReason): void {
    this.#transaction.cutOffTable(table);
    table.stopped = reason;
    table.stoppedAt = this.#publisher.position;
    this.#tables.park(table);
    this.#options.onStopped(table.name, reason);
    this.#publisher.within(0);
  }
}
