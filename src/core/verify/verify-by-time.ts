/**
 * Is the copy right, where nobody can say at which position of the source the lake stands (files of DMS)? A row that differs
 * is looked at again when whatever DMS had of it must be in the lake: what is still the same on both sides then is wrong.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatTableName, type TableName } from '../change.ts';
import { throwIfCancelled } from '../errors.ts';
import type { TableVerdict } from './verdict.ts';
import { type LookOptions, lookAtTables } from './verify.ts';

export interface VerifyByTimeOptions extends Omit<LookOptions, 'catchUp'> {
  tables: readonly TableName[];
  /** How long a change may take from its commit to its file in staging. */
  settleMs: number;
  /** Merges what staging holds of the tables until nothing of it is pending, or can be merged. */
  mergePending(tables: readonly TableName[]): Promise<void>;
  /** Of the lake table; undefined where there is none. */
  versionOf(table: TableName): Promise<number | undefined>;
}

const PAUSE_MS = { folder: 1000, bucket: 10_000 };

export async function verifyByTime(options: VerifyByTimeOptions): Promise<TableVerdict[]> {
  const { tables, settleMs, signal, progress } = options;
  const folder = join(options.scratchFolder, `verify-${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  try {
    const verdicts = new Map<string, TableVerdict>();
    const first = new Looks(options, folder);
    for (const verdict of await first.look(tables)) verdicts.set(formatTableName(verdict), verdict);
    const seen = await versions(options, tables);
    const isOpen = (table: TableName) => (verdicts.get(formatTableName(table))?.unsettled ?? 0) > 0;
    const settleAt = performance.now() + settleMs;
    for (let isLast = false; !isLast && tables.some(isOpen); ) {
      throwIfCancelled(signal);
      const left = Math.max(0, settleAt - performance.now());
      const rows = [...verdicts.values()].reduce((sum, { unsettled }) => sum + unsettled, 0);
      progress.update(
        `${rows} row${rows === 1 ? '' : 's'} differ: looking again within ${Math.ceil(left / 1000)} s, for DMS may be on its way with them`,
      );
      await sleep(Math.min(left, PAUSE_MS[options.staging.kind]), undefined, { signal }).catch(() => undefined);
      throwIfCancelled(signal);
      isLast = performance.now() >= settleAt;
      const open = tables.filter(isOpen);
      await options.mergePending(open);
      const now = await versions(options, open);
      // Before the time is over only a merge can bring a row right.
      const again = isLast
        ? open
        : open.filter((table) => now.get(formatTableName(table)) !== seen.get(formatTableName(table)));
      for (const [name, version] of now) seen.set(name, version);
      for (const verdict of await first.lookAgain(again)) {
        const name = formatTableName(verdict);
        const before = verdicts.get(name);
        const known = { source_rows: before?.source_rows ?? 0, lake_rows: before?.lake_rows ?? 0 };
        const differ = verdict.missing + verdict.extra + verdict.different + verdict.unsettled;
        if (isLast) verdicts.set(name, { ...verdict, ...known });
        // Not judged yet, unless nothing is left of it.
        else if (before !== undefined) verdicts.set(name, { ...before, unsettled: differ });
      }
    }
    return tables.flatMap((table) => verdicts.get(formatTableName(table)) ?? []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first look, of whole tables, and those that compare the rows again which differed there. */
class Looks {
  readonly #options: VerifyByTimeOptions;
  readonly #folder: string;
  readonly #kept = new Map<string, string>();
  #count = 0;

  constructor(options: VerifyByTimeOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  async look(tables: readonly TableName[]): Promise<TableVerdict[]> {
    for (const [index, table] of tables.entries())
      this.#kept.set(formatTableName(table), join(this.#folder, `differences-${index}.parquet`));
    return await this.#lookWith(tables, (name) => ({ by: 'time', earlier: undefined, keep: this.#keptOf(name) }));
  }

  async lookAgain(tables: readonly TableName[]): Promise<TableVerdict[]> {
    const keep = join(this.#folder, 'differences-again.parquet');
    return await this.#lookWith(tables, (name) => ({ by: 'time', earlier: this.#keptOf(name), keep }));
  }

  #keptOf(table: TableName): string {
    const path = this.#kept.get(formatTableName(table));
    if (path === undefined) throw new Error(`${formatTableName(table)} was not looked at`);
    return path;
  }

  async #lookWith(
    tables: readonly TableName[],
    judge: (table: TableName) => { by: 'time'; earlier: string | undefined; keep: string },
  ): Promise<TableVerdict[]> {
    if (tables.length === 0) return [];
    const folder = join(this.#folder, String(this.#count++));
    return await lookAtTables(
      { ...this.#options, catchUp: (_, waited) => this.#options.mergePending(waited) },
      { tables, folder, judge: async () => judge },
    );
  }
}

async function versions(
  { versionOf }: VerifyByTimeOptions,
  tables: readonly TableName[],
): Promise<Map<string, number | undefined>> {
  const found = new Map<string, number | undefined>();
  for (const table of tables) found.set(formatTableName(table), await versionOf(table));
  return found;
}
