/** Files that come with cdc beside its code: the program, the Glue job's script, SQL. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

let root: string | undefined;

/** The path of `place` (`scripts/glue/merge_changes.py`) in cdc's own folder, whether this code is its source, compiled or bundled. */
export function packageFile(place: string): string {
  root ??= findRoot(dirname(fileURLToPath(import.meta.url)));
  return join(root, place);
}

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'bin', 'cdc.js'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`${import.meta.url} does not lie in cdc's folder`);
  return findRoot(parent);
}
