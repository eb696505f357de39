/** A change file of DMS: its place by its name, and by its sequence what of it was there before. */

import type { DmsEpoch } from '../change-file/dms-epoch.ts';
import type { DmsScan } from '../change-file/dms-scan.ts';
import type { StoredObject } from '../store/store.ts';

/** A change file of DMS. */
export interface DmsFile extends StoredObject {
  /** Below the table's folder. */
  name: string;
  /** The digits of its base name: they order the files. */
  time: string;
  /** Of files that are not applied, and of those near the beginning of a new epoch. */
  scan: DmsScan | undefined;
}

export interface DmsStaged {
  /** By time. */
  epochs: DmsEpoch[];
  /** LOAD files of all epochs, in their order. */
  loads: StoredObject[];
  /** By time. */
  files: DmsFile[];
}

/** The digits of a change file's base name. */
export function timeOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1).split('.')[0] ?? '';
}

/** All of it lies above `sequence`. */
export function isAbove({ scan }: DmsFile, sequence: string | null | undefined): boolean {
  return scan?.least !== undefined && (sequence == null || scan.least > sequence);
}

/** Something of it was there before: up to `reached`, or within the file. */
export function repeats({ scan }: DmsFile, reached: string | null | undefined): boolean {
  if (scan?.least === undefined) return false;
  return scan.repeats || (reached != null && scan.least <= reached);
}

/** One after another: a file and its repetition may both be new. */
export function someRepeats(files: readonly DmsFile[], before: string | null | undefined): boolean {
  let reached = before ?? undefined;
  return files.some((file) => {
    const found = repeats(file, reached);
    reached = greatest([reached, file.scan?.greatest]);
    return found;
  });
}

/** The one that sorts last. */
export function greatest(texts: readonly (string | undefined)[]): string | undefined {
  return texts.reduce(
    (most, text) => (text !== undefined && (most === undefined || text > most) ? text : most),
    undefined,
  );
}
