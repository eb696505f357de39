/** A lake that is named on the command line, without any pipeline: a folder, or `s3://bucket/prefix`. */

import { join } from 'node:path';
import { asksByPath, openStore } from '../core/store/open-store.ts';
import type { Store } from '../core/store/store.ts';
import type { Context } from './command.ts';

export function openNamedLake(location: string, { cwd, env }: Pick<Context, 'cwd' | 'env'>): Store {
  return openStore(location, {
    base: cwd,
    pathStyle: asksByPath(env.variables),
    cacheFolder: join(env.cacheFolder, 'lake'),
  });
}
