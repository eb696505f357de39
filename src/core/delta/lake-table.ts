/** Where one Delta table lies, and the names of the files of its log. */

import type { Engine } from '../engine/engine.ts';
import type { Store } from '../store/store.ts';

export interface LakeTable {
  store: Store;
  /** The table's folder in the store, ending in `/`. */
  folder: string;
  /** Reads and writes Parquet: checkpoints and data files. */
  engine: Engine;
}

/** 20 digits: text order is version order. */
export function formatVersion(version: number): string {
  return String(version).padStart(20, '0');
}

export function logFolder(folder: string): string {
  return `${folder}_delta_log/`;
}

export function commitKey(folder: string, version: number): string {
  return `${logFolder(folder)}${formatVersion(version)}.json`;
}

export function checkpointKey(folder: string, version: number): string {
  return `${logFolder(folder)}${formatVersion(version)}.checkpoint.parquet`;
}

/** The hint where the newest checkpoint is. */
export function lastCheckpointKey(folder: string): string {
  return `${logFolder(folder)}_last_checkpoint`;
}

/** What a file of a log is, by its name. */
export type LogFile =
  | { kind: 'commit'; version: number }
  | { kind: 'checkpoint'; version: number; part: number; parts: number }
  /** A checkpoint of the newer layout (a feature of its own), a checksum, a compacted commit. */
  | { kind: 'other'; version: number };

/** undefined for a name that belongs to no version. */
export function parseLogFile(name: string): LogFile | undefined {
  const [, digits, rest] = /^(\d{20})\.(.+)$/.exec(name) ?? [];
  if (digits === undefined || rest === undefined) return undefined;
  const version = Number(digits);
  if (rest === 'json') return { kind: 'commit', version };
  if (rest === 'checkpoint.parquet') return { kind: 'checkpoint', version, part: 1, parts: 1 };
  const [, part, parts] = /^checkpoint\.(\d{10})\.(\d{10})\.parquet$/.exec(rest) ?? [];
  if (part !== undefined && parts !== undefined)
    return { kind: 'checkpoint', version, part: Number(part), parts: Number(parts) };
  return { kind: 'other', version };
}
