/** The transaction that is being read: when it was committed, and what it has changed and created so far. */

import type { RowsBinlogEvent } from '../binlog/events.ts';
import { encodeRows } from '../binlog/row-decoder.ts';
import type { TableName } from '../change.ts';
import { changeHeader } from '../change-file/read.ts';
import { reach } from '../crash-point.ts';
import { type BinlogPosition, comparePositions } from '../position.ts';
import { type CommitTime, commitTime } from './commit-time.ts';
import type { FollowedTable } from './followed-table.ts';
import type { Lag } from './lag.ts';
import { TableFile } from './table-file.ts';

export class Transaction {
  /** From its first event to its last; also while a statement takes effect. */
  isOpen = false;
  /** Where the transaction or statement begins. */
  #start: BinlogPosition;
  #time: CommitTime = commitTime(0);
  #timeMicros = Number.NaN;
  /** Tables that it has changed. */
  readonly #touched = new Set<FollowedTable>();
  #created: TableName[] = [];
  readonly #lag: Lag;
  readonly #scratchBase: string;
  #scratchFiles = 0;

  /** `scratchBase`: the begin of paths for files that are open. */
  constructor(options: { start: BinlogPosition; lag: Lag; scratchBase: string }) {
    this.#start = options.start;
    this.#lag = options.lag;
    this.#scratchBase = options.scratchBase;
  }

  /** `micros`: its commit time. */
  begin(start: BinlogPosition, micros: number): void {
    this.isOpen = true;
    this.#start = start;
    if (micros === this.#timeMicros) return;
    this.#timeMicros = micros;
    this.#time = commitTime(micros);
    this.#lag.at(micros);
  }

  /** The snapshot of a table loaded while others were followed lies ahead of where capture stands: its changes up to there are in the load. */
  isInLoadOf(table: FollowedTable): boolean {
    return comparePositions(this.#start, table.saved.loadedAt) < 0;
  }

  /** Writes the rows to the table's open file; returns its size. Throws `row.*`, `table.*` and `type.*` where they cannot be followed. */
  append(table: FollowedTable, event: RowsBinlogEvent): number {
    const decoder = table.decoderFor(event.table);
    if (table.file === undefined) {
      table.file = TableFile.open(`${this.#scratchBase}-${++this.#scratchFiles}`, changeHeader(table.definition));
      table.fileFirst = table.number + 1;
    }
    this.#touched.add(table);
    const { changes } = encodeRows({
      event,
      decoder,
      out: table.file.out,
      ts: this.#time.text,
      seqPrefix: this.#time.digits + String(table.run).padStart(4, '0'),
      firstNumber: table.number + 1,
    });
    table.number += changes;
    table.file.spill();
    reach('capture.file-open');
    return table.file.size;
  }

  create(table: TableName): void {
    this.#created.push(table);
  }

  /** What it did to this table counts for nothing. */
  cutOffTable(table: FollowedTable): void {
    table.cutToWhole();
    this.#touched.delete(table);
  }

  /** It counts for nothing. */
  cutOff(): void {
    for (const table of this.#touched) table.cutToWhole();
    this.#touched.clear();
    this.#created = [];
    this.isOpen = false;
  }

  /** It is whole; says which tables it created. */
  end(): TableName[] {
    for (const table of this.#touched) table.markWhole();
    this.#touched.clear();
    this.isOpen = false;
    return this.#created.splice(0);
  }
}
