/**
 * The capture's durable state, `_cdc/checkpoint.json` in staging: everything at or before its position is in published
 * files. Losing it is a break (contract.md 1): the tables count as not loaded.
 */

import { z } from 'zod';
import type { BinlogFileMark, EventMark } from '../binlog/events.ts';
import { readTableName, type TableName } from '../change.ts';
import { CHECKPOINT_KEY } from '../change-file/layout.ts';
import { CdcError } from '../errors.ts';
import type { BinlogPosition } from '../position.ts';
import type { Store } from '../store/store.ts';

/** Why a table is no longer followed: what happened, and the command that continues. */
export interface StopReason {
  code: string;
  message: string;
  hint: string;
}

/** One table's place in the chain of numbers. */
export interface TableCheckpoint {
  /** Only a load opens a run. */
  run: number;
  /** The last number given out in this run. */
  number: number;
  /** The number in this run that the current definition begins at. */
  definitionNumber: number;
  /** Changes at or before this position are part of the load; capture leaves them out. */
  loadedAt: BinlogPosition;
  /** False until the run's load record is published: a crash in between means loading anew. */
  loaded: boolean;
  /** The last name published, so that names go on rising when staging was cleaned and the clock went back. */
  lastFile?: string | undefined;
  stopped?: StopReason | undefined;
  /** The last transaction before the stop: the lake table gets no further than this. */
  stoppedAt?: BinlogPosition | undefined;
}

/** What tells one server, or one history of a server, from another. MariaDB has no uuid. */
export interface ServerIdentity {
  flavor: 'mariadb' | 'mysql';
  version: string;
  serverId: number;
  /** As in SourceServer; where nobody said, names are compared without case, which can only stop a table too many. */
  lowerCaseTableNames?: number | undefined;
  uuid?: string | undefined;
}

export interface Checkpoint {
  format: 1;
  position: BinlogPosition;
  /** The last event before the position: read again at start, so that a restored server with the same ids is noticed. */
  lastEvent?: EventMark | undefined;
  /** The file of the position, or the one before it: compared where there is no last event to compare. */
  binlogFile?: BinlogFileMark | undefined;
  server: ServerIdentity;
  /** Generation of the lease it was written under. */
  lease: number;
  /** Whether the worker merges too; `start` goes on the same way. */
  merge: boolean;
  /** Set when the position was lost: the next `replicate` loads every table. */
  broken?: StopReason | undefined;
  /** By `schema.table`. */
  tables: Record<string, TableCheckpoint>;
  writtenAt: string;
}

const position = z
  .object({ file: z.string(), offset: z.number().int(), gtid: z.string().optional() })
  .transform(({ gtid, ...rest }): BinlogPosition => (gtid === undefined ? rest : { ...rest, gtid }));
const stopReason = z.object({ code: z.string(), message: z.string(), hint: z.string() });
const checkpointFile = z.object({
  format: z.literal(1),
  position,
  lastEvent: z.object({ file: z.string(), offset: z.number(), timestamp: z.number(), checksum: z.number() }).optional(),
  binlogFile: z.object({ file: z.string(), created: z.number() }).optional(),
  server: z.object({
    flavor: z.enum(['mariadb', 'mysql']),
    version: z.string(),
    serverId: z.number(),
    lowerCaseTableNames: z.number().optional(),
    uuid: z.string().optional(),
  }),
  lease: z.number(),
  merge: z.boolean(),
  broken: stopReason.optional(),
  tables: z.record(
    z.string(),
    z.object({
      run: z.number().int(),
      number: z.number().int(),
      definitionNumber: z.number().int(),
      loadedAt: position,
      loaded: z.boolean(),
      lastFile: z.string().optional(),
      stopped: stopReason.optional(),
      stoppedAt: position.optional(),
    }),
  ),
  writtenAt: z.string(),
});

/** The tables of a checkpoint by name. */
export function tablesOf(checkpoint: Checkpoint | undefined): { name: TableName; entry: TableCheckpoint }[] {
  return Object.entries(checkpoint?.tables ?? {}).map(([key, entry]) => {
    const name = readTableName(key);
    if (name === undefined) throw new Error(`"${key}" of the checkpoint is no table`);
    return { name, entry };
  });
}

/** undefined when nothing was ever captured here. Throws `checkpoint.corrupt`. */
export async function readCheckpoint(staging: Store): Promise<Checkpoint | undefined> {
  const body = await staging.getIfPresent(CHECKPOINT_KEY);
  return body === undefined ? undefined : parseCheckpoint(body, staging);
}

function parseCheckpoint(body: Buffer, staging: Store): Checkpoint {
  try {
    return checkpointFile.parse(JSON.parse(body.toString()));
  } catch (cause) {
    throw new CdcError(
      'checkpoint.corrupt',
      `reading ${staging.location}/${CHECKPOINT_KEY}: it is not a checkpoint of this version`,
      {
        cause,
        hint: 'remove the file and run `cdc replicate`: the tables are loaded again',
      },
    );
  }
}

/**
 * Writes checkpoints one after another. Each replaces exactly the one before it (put-if-match), so a process that slept
 * through the loss of its lease cannot put back an older state: a run that has ended would go on being captured, unseen.
 */
export class CheckpointWriter {
  #tag: string | undefined;
  #current: Checkpoint | undefined;
  readonly #staging: Store;

  private constructor(staging: Store, tag: string | undefined, current: Checkpoint | undefined) {
    this.#staging = staging;
    this.#tag = tag;
    this.#current = current;
  }

  /** What the next write will replace. */
  get current(): Checkpoint | undefined {
    return this.#current;
  }

  /** Call under the capture's lease. */
  static async open(staging: Store): Promise<{ writer: CheckpointWriter; current: Checkpoint | undefined }> {
    for (;;) {
      const tag = await staging.tagOf(CHECKPOINT_KEY);
      const body = tag === undefined ? undefined : await staging.getIfPresent(CHECKPOINT_KEY);
      if ((await staging.tagOf(CHECKPOINT_KEY)) !== tag) continue;
      const current = body === undefined ? undefined : parseCheckpoint(body, staging);
      return { writer: new CheckpointWriter(staging, tag, current), current };
    }
  }

  async write(checkpoint: Checkpoint): Promise<void> {
    const body = `${JSON.stringify(checkpoint, null, 1)}\n`;
    const written =
      this.#tag === undefined
        ? await this.#staging.putIfAbsent(CHECKPOINT_KEY, body)
        : await this.#staging.putIfMatch(CHECKPOINT_KEY, body, this.#tag);
    if (!written)
      throw new CdcError(
        'checkpoint.replaced',
        `writing ${this.#staging.location}/${CHECKPOINT_KEY}: another worker has written it`,
        {
          hint: '`cdc status` names the worker that runs',
        },
      );
    this.#tag = await this.#staging.tagOf(CHECKPOINT_KEY);
    this.#current = checkpoint;
  }
}
