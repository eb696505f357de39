/** Where a session stands, and the moments at which its files are published and its checkpoint moves: never within a transaction. */

import type { BinlogFileMark, EventMark } from '../binlog/events.ts';
import type { BinlogPosition } from '../position.ts';
import type { Checkpoint } from './checkpoint.ts';
import { FlushClock } from './flush-clock.ts';
import { publishFiles } from './publish.ts';
import type { SessionOptions } from './session-options.ts';
import type { SessionTables } from './session-tables.ts';

export class SessionPublisher {
  readonly #options: SessionOptions;
  readonly #tables: SessionTables;
  readonly #isBetweenTransactions: () => boolean;
  readonly #clock = new FlushClock(() => this.#flushInTime());
  #checkpoint: Checkpoint;
  /** The end of the last transaction or statement. */
  #position: BinlogPosition;
  #lastEvent: EventMark | undefined;
  #binlogFile: BinlogFileMark | undefined;
  #flushing: Promise<void> | undefined;
  #failure: unknown;

  constructor(options: SessionOptions, tables: SessionTables, isBetweenTransactions: () => boolean) {
    const { checkpoint } = options;
    this.#options = options;
    this.#tables = tables;
    this.#isBetweenTransactions = isBetweenTransactions;
    this.#checkpoint = checkpoint;
    this.#position = checkpoint.position;
    this.#lastEvent = checkpoint.lastEvent;
    this.#binlogFile = checkpoint.binlogFile;
    // What could not be opened is stopped, and the checkpoint is to say so.
    if (tables.stoppedNow) this.#clock.within(0);
  }

  /** The last one written. */
  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  get position(): BinlogPosition {
    return this.#position;
  }

  /** The flush under way. */
  get flushing(): Promise<void> | undefined {
    return this.#flushing;
  }

  /** Why a flush of its own accord failed. */
  get failure(): unknown {
    return this.#failure;
  }

  get isDue(): boolean {
    return this.#clock.isDue;
  }

  /** Asks for a flush this much later at the latest. */
  within(milliseconds: number): void {
    this.#clock.within(milliseconds);
  }

  beginFile(mark: BinlogFileMark): void {
    this.#binlogFile = mark;
  }

  moveTo(position: BinlogPosition, lastEvent = this.#lastEvent): void {
    this.#position = position;
    this.#lastEvent = lastEvent;
  }

  /** Publishes the open files, then moves the checkpoint. */
  flush(): Promise<void> {
    this.#flushing ??= this.#publish().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** Asks for nothing more; a flush under way is finished, for it writes down that all that was open is in files. */
  async rest(): Promise<void> {
    this.#clock.reset();
    await this.#flushing?.catch(() => undefined);
    this.#clock.reset();
  }

  #flushInTime(): void {
    // In the middle of a transaction its end will see that the time has come.
    if (!this.#isBetweenTransactions() || this.#flushing !== undefined) return;
    this.flush().catch((error: unknown) => {
      this.#failure = error;
      this.#options.onFailure(error);
    });
  }

  async #publish(): Promise<void> {
    this.#clock.reset();
    const { lease: _, tables: __, writtenAt: ___, ...rest } = this.#checkpoint;
    const { checkpoint, files } = await publishFiles({
      ...this.#options,
      tables: this.#tables.open(),
      parked: this.#tables.parked,
      checkpoint: { ...rest, position: this.#position, lastEvent: this.#lastEvent, binlogFile: this.#binlogFile },
    });
    this.#checkpoint = checkpoint;
    this.#tables.settle();
    for (const { table, file } of files) {
      this.#options.progress.detail(`published ${file.key}: ${file.changes} changes`);
      this.#options.onPublished(table.name, file);
    }
    this.#options.onCheckpoint(checkpoint);
  }
}
