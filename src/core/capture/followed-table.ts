/** One table as capture follows it: its place in the chain of numbers, its definition, its open file. */

import type { TableMap } from '../binlog/events.ts';
import { RowDecoder } from '../binlog/row-decoder.ts';
import { formatTableName, type TableName } from '../change.ts';
import { definitionKey, tableFolder } from '../change-file/layout.ts';
import { isOurFileName, nextChangeFileName } from '../change-file/name.ts';
import { type ChangeNumber, changeNumber } from '../change-number.ts';
import { CdcError, messageOf } from '../errors.ts';
import type { BinlogPosition } from '../position.ts';
import type { Store } from '../store/store.ts';
import { definitionFromJson, type TableDefinition } from '../table-definition.ts';
import type { StopReason, TableCheckpoint } from './checkpoint.ts';
import type { TableFile } from './table-file.ts';

export class FollowedTable {
  readonly name: TableName;
  /** What the last checkpoint says of the table. */
  saved: TableCheckpoint;
  number: number;
  definition: TableDefinition;
  definitionNumber: number;
  lastFile: string | undefined;
  stopped: StopReason | undefined;
  stoppedAt: BinlogPosition | undefined;
  file: TableFile | undefined;
  /** The number of the first change in the open file. */
  fileFirst = 0;
  /** The last number of the transactions that have ended. */
  #whole: number;
  /** The last number that is in a published file, definition or record. */
  #durable: number;
  #decoders = new Map<TableMap, RowDecoder>();

  constructor(name: TableName, saved: TableCheckpoint, definition: TableDefinition) {
    this.name = name;
    this.saved = saved;
    this.number = saved.number;
    this.#whole = saved.number;
    this.#durable = saved.number;
    this.definition = definition;
    this.definitionNumber = saved.definitionNumber;
    this.lastFile = saved.lastFile;
  }

  /** Reads the definition that the checkpoint names. Throws `definition.missing` and `definition.corrupt`. */
  static async open(staging: Store, name: TableName, saved: TableCheckpoint): Promise<FollowedTable> {
    const key = definitionKey(name, changeNumber(saved.run, saved.definitionNumber));
    const doing = `following ${formatTableName(name)}: ${staging.location}/${key}`;
    const hint = `cdc reload ${formatTableName(name)}`;
    const body = await staging.getIfPresent(key);
    if (body === undefined) throw new CdcError('definition.missing', `${doing} is gone`, { hint });
    let definition: TableDefinition;
    try {
      definition = definitionFromJson.parse(JSON.parse(body.toString()));
    } catch (cause) {
      throw new CdcError('definition.corrupt', `${doing} is no definition (${messageOf(cause)})`, { hint, cause });
    }
    return new FollowedTable(name, { ...saved, lastFile: await lastFileOf(staging, name, saved.lastFile) }, definition);
  }

  get run(): number {
    return this.saved.run;
  }

  get last(): ChangeNumber {
    return changeNumber(this.run, this.number);
  }

  /** The decoder for rows described by this table map; made once per map. Throws `table.mismatch`, `type.unsupported`. */
  decoderFor(map: TableMap): RowDecoder {
    let decoder = this.#decoders.get(map);
    if (decoder === undefined) {
      decoder = new RowDecoder(map, this.definition);
      // A server sends a new map per statement; only the newest can still be used.
      this.#decoders.clear();
      this.#decoders.set(map, decoder);
    }
    return decoder;
  }

  redefine(definition: TableDefinition): void {
    this.definition = definition;
    this.definitionNumber = this.number;
    this.#decoders.clear();
  }

  nextFileName(now: Date): string {
    this.lastFile = nextChangeFileName(this.lastFile, now);
    return this.lastFile;
  }

  /** A transaction, or a statement that took a number, ends here. */
  markWhole(): void {
    this.#whole = this.number;
    this.file?.markWhole();
  }

  /** Gives up the changes of the transaction that has not ended; those of the ones before stay. */
  cutToWhole(): void {
    this.number = this.#whole;
    if (this.number < this.fileFirst) this.discardFile();
    else this.file?.cutToWhole();
  }

  discardFile(): void {
    this.file?.discard();
    this.file = undefined;
  }

  /** Every number given out is in staging. */
  markDurable(): void {
    this.#durable = this.number;
  }

  /** The entry for the next checkpoint. */
  checkpoint(): TableCheckpoint {
    // A checkpoint past what is published would lose changes for good.
    if (this.#durable !== this.number)
      throw new Error(`${formatTableName(this.name)}: changes up to ${this.number}, published up to ${this.#durable}`);
    const { number, definitionNumber, lastFile, stopped, stoppedAt } = this;
    return { ...this.saved, number, definitionNumber, lastFile, stopped, stoppedAt };
  }
}

/** Names go on above whatever a killed session published after its last checkpoint. */
export async function lastFileOf(staging: Store, table: TableName, saved?: string): Promise<string | undefined> {
  const folder = tableFolder(table);
  const later = await staging.list(folder, saved === undefined ? {} : { after: `${folder}${saved}` });
  return later.map(({ key }) => key.slice(folder.length)).findLast(isOurFileName) ?? saved;
}
