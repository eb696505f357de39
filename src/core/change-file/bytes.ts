/** A change file's bytes piece by piece, from a store or from a file outside of it; gz is taken off by name. */

import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { CdcError, messageOf, nativeCodeOf } from '../errors.ts';
import type { Store } from '../store/store.ts';

const PIECE_BYTES = 1 << 20;

export async function* readBytes(store: Store, key: string): AsyncGenerator<Buffer> {
  yield* unzipped(storePieces(store, key), key);
}

/** Of a file of this machine. */
export async function* readFileBytes(path: string): AsyncGenerator<Buffer> {
  yield* unzipped(filePieces(path), path);
}

async function* storePieces(store: Store, key: string): AsyncGenerator<Buffer> {
  for (let start = 0; ; start += PIECE_BYTES) {
    const piece = await store.getRange(key, start, start + PIECE_BYTES);
    if (piece.length > 0) yield piece;
    if (piece.length < PIECE_BYTES) return;
  }
}

async function* filePieces(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const piece of createReadStream(path, { highWaterMark: PIECE_BYTES })) yield piece;
  } catch (error) {
    throw fileError(path, error);
  }
}

/** `how` ends the sentence. */
export function inputChanged(file: string, how: string): CdcError {
  return new CdcError('input.changed', `reading ${file}: ${how}`, {
    hint: 'nothing was applied; a change file must not change once it is there: bring the right one back, then merge again',
  });
}

/** What a user can do about a file that cannot be read. */
export function fileError(path: string, error: unknown): CdcError {
  if (error instanceof CdcError) return error;
  if (nativeCodeOf(error) === 'ENOENT')
    return new CdcError('file.missing', `reading ${path}: there is no such file`, { cause: error });
  return new CdcError('file.unreadable', `reading ${path}: ${messageOf(error)}`, { cause: error });
}

async function* unzipped(pieces: AsyncGenerator<Buffer>, name: string): AsyncGenerator<Buffer> {
  if (!name.endsWith('.gz')) {
    yield* pieces;
    return;
  }
  const gunzip = createGunzip();
  const feeding = (async () => {
    try {
      for await (const piece of pieces) {
        if (gunzip.destroyed) return;
        if (!gunzip.write(piece)) await new Promise((resolve) => gunzip.once('drain', resolve).once('close', resolve));
      }
      gunzip.end();
    } catch (error) {
      gunzip.destroy(error instanceof Error ? error : new Error(messageOf(error)));
    }
  })();
  try {
    for await (const piece of gunzip) yield piece;
  } catch (error) {
    if (error instanceof CdcError) throw error;
    throw new CdcError('file.cut', `reading ${name}: the compressed data is broken or cut (${messageOf(error)})`, {
      hint: 'copy the file again',
      cause: error,
    });
  } finally {
    gunzip.destroy();
    await feeding;
  }
}
