/** One table as capture follows it: its place in the chain of numbers, its definition, its open file. */

import type { TableMap } from '../binlog/events.ts';
import { RowDecoder } from '../binlog/row-decoder.ts';
import { formatTableName, type TableName } from '../change.ts';
import { definitionKey } from '../change-file/layout.ts';
import { nextChangeFileName } from '../change-file/name.ts';
import { type ChangeNumber, changeNumber } from '../change-number.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { definitionFromJson, type TableDefinition } from '../table-definition.ts';
import type { StopReason, TableCheckpoint } from './checkpoint.ts';
import type { TableFile } from './table-file.ts';

export class FollowedTable {
  readonly name: TableName;
  /** What the last checkpoint says of the table; a stop falls back to it. */
  saved: TableCheckpoint;
  number: number;
  definition: TableDefinition;
  definitionNumber: number;
  lastFile: string | undefined;
  stopped: StopReason | undefined;
  file: TableFile | undefined;
  /** The number of the first change in the open file. */
  fileFirst = 0;
  #decoders = new Map<TableMap, RowDecoder>();

  constructor(name: TableName, saved: TableCheckpoint, definition: TableDefinition) {
    this.name = name;
    this.saved = saved;
    this.number = saved.number;
    this.definition = definition;
    this.definitionNumber = saved.definitionNumber;
    this.lastFile = saved.lastFile;
    this.stopped = saved.stopped;
  }

  /** Reads the definition that the checkpoint names. */
  static async open(staging: Store, name: TableName, saved: TableCheckpoint): Promise<FollowedTable> {
    const key = definitionKey(name, changeNumber(saved.run, saved.definitionNumber));
    const body = await staging.getIfPresent(key);
    if (body === undefined)
      throw new CdcError(
        'definition.missing',
        `following ${formatTableName(name)}: ${staging.location}/${key} is gone`,
        {
          hint: `cdc reload ${formatTableName(name)}`,
        },
      );
    return new FollowedTable(name, saved, definitionFromJson.parse(JSON.parse(body.toString())));
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

  /** Gives up what is not published; the table stands again where the last checkpoint left it. */
  discardFile(): void {
    this.file?.discard();
    this.file = undefined;
    this.number = this.saved.number;
  }

  /** The entry for the next checkpoint; only true when no file is open. */
  checkpoint(): TableCheckpoint {
    return {
      ...this.saved,
      number: this.number,
      definitionNumber: this.definitionNumber,
      lastFile: this.lastFile,
      stopped: this.stopped,
    };
  }
}
