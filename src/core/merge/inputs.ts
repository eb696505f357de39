/** A batch's files between the plan and the commit: what was planned is what was read. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fileError, inputChanged } from '../change-file/bytes.ts';
import { CdcError, nativeCodeOf } from '../errors.ts';
import type { Store } from '../store/store.ts';

/** An object as it was when the batch was planned. */
export interface InputState {
  /** For messages. */
  label: string;
  size: number;
  modified: number;
  tag: string;
  /** Looks again: undefined when it is gone. */
  look(): Promise<{ size: number; modified: number } | undefined>;
  tagAgain(): Promise<string | undefined>;
}

export async function storedInput(store: Store, key: string): Promise<InputState> {
  const label = `${store.location}/${key}`;
  const look = async () => {
    const object = await store.stat(key);
    return object === undefined ? undefined : { size: object.size, modified: object.modified.getTime() };
  };
  const found = await look();
  const tag = await store.tagOf(key);
  if (found === undefined || tag === undefined) throw missing(label);
  return { label, ...found, tag, look, tagAgain: () => store.tagOf(key) };
}

export async function fileInput(path: string): Promise<InputState> {
  const look = async () => {
    try {
      const { size, mtimeMs } = await stat(path);
      return { size, modified: mtimeMs };
    } catch (error) {
      if (nativeCodeOf(error) === 'ENOENT') return undefined;
      throw fileError(path, error);
    }
  };
  const tagAgain = async () => {
    const hash = createHash('sha256');
    try {
      await pipeline(createReadStream(path), hash);
    } catch (error) {
      throw fileError(path, error);
    }
    return `sha256:${hash.digest('hex')}`;
  };
  const found = await look();
  if (found === undefined) throw fileError(path, Object.assign(new Error('no such file'), { code: 'ENOENT' }));
  return { label: path, ...found, tag: await tagAgain(), look, tagAgain };
}

/** Files above this are read again only when size or time say that they may have changed. */
const SMALL_BYTES = 8 * 1024 * 1024;

/** Throws `input.missing` or `input.changed`; call it when everything has been read, before the commit. */
export async function assertUnchanged(inputs: readonly InputState[]): Promise<void> {
  for (const input of inputs) {
    const now = await input.look();
    if (now === undefined) throw missing(input.label);
    const looksSame = now.size === input.size && now.modified === input.modified;
    if (looksSame && input.size > SMALL_BYTES) continue;
    const tag = await input.tagAgain();
    if (tag === undefined) throw missing(input.label);
    if (tag !== input.tag) throw inputChanged(input.label, 'it was changed while it was merged');
  }
}

function missing(label: string): CdcError {
  return new CdcError('input.missing', `reading ${label}: it is gone, and it is not merged yet`, {
    hint: 'nothing was applied; bring it back from a copy, or load the table again: cdc reload',
  });
}
