/** Which file a person means by a key, a path, or a path into staging. */

import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { TableName } from '../change.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { nameOfFolder } from './layout.ts';
import { parseStagedName } from './name.ts';

/** A file of a pipeline. */
export interface StagedFile {
  /** Relative to staging. */
  key: string;
  table: TableName;
}

/** The file of staging that a text names, be it its key, a path seen from `cwd`, or its whole `s3://…`; undefined when staging holds none of that name. */
export async function findStagedFile(staging: Store, cwd: string, text: string): Promise<StagedFile | undefined> {
  for (const key of [keyOfPlace(staging, cwd, text), isAbsolute(text) ? undefined : text]) {
    const table = key === undefined ? undefined : tableOfKey(key);
    if (key === undefined || table === undefined) continue;
    if ((await staging.stat(key)) !== undefined) return { key, table };
  }
  return undefined;
}

/** The same, or `file.missing` with where it was looked for. */
export async function needStagedFile(staging: Store, cwd: string, text: string): Promise<StagedFile> {
  const found = await findStagedFile(staging, cwd, text);
  if (found !== undefined) return found;
  throw new CdcError(
    'file.missing',
    `looking for ${text}: staging (${staging.location}) holds no change file of that name`,
    {
      hint: '`cdc files` lists what is there',
    },
  );
}

/** The table whose folder a key lies in; undefined for a key that is no change file's. */
export function tableOfKey(key: string): TableName | undefined {
  const [schema, table, ...rest] = key.split('/');
  if (schema === undefined || table === undefined || schema === '_cdc') return undefined;
  if (parseStagedName(rest.join('/')) === undefined) return undefined;
  return { schema: nameOfFolder(schema), table: nameOfFolder(table) };
}

function keyOfPlace(staging: Store, cwd: string, text: string): string | undefined {
  if (staging.kind === 'bucket')
    return text.startsWith(`${staging.location}/`) ? text.slice(staging.location.length + 1) : undefined;
  const inside = relative(staging.location, resolve(cwd, text));
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) return undefined;
  return join(inside).split(sep).join('/');
}
