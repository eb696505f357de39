/** The Glue job as `init` uploads it: its script and the zip of its modules, under keys that name their content. */

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CdcError, messageOf } from '../../errors.ts';
import { packageFile } from '../../package-file.ts';
import { zipArchive } from './zip-archive.ts';

export interface JobFile {
  /** In the code bucket. Another content is another key: a run under way keeps the code it began with. */
  key: string;
  body: Buffer;
}

export interface JobPackage {
  script: JobFile;
  modules: JobFile;
}

const SCRIPT = 'merge_changes';
const MODULES = 'cdc_merge';

export async function jobPackage(folder = packageFile('scripts/glue')): Promise<JobPackage> {
  try {
    const script = await readFile(join(folder, `${SCRIPT}.py`));
    const names = (await readdir(join(folder, MODULES), { recursive: true })).filter((name) => name.endsWith('.py'));
    const files = await Promise.all(
      names.sort().map(async (name) => ({
        name: `${MODULES}/${name.replaceAll('\\', '/')}`,
        body: await readFile(join(folder, MODULES, name)),
      })),
    );
    return { script: named(SCRIPT, 'py', script), modules: named(MODULES, 'zip', zipArchive(files)) };
  } catch (cause) {
    throw new CdcError('aws.job-not-built', `packing the Glue job: ${messageOf(cause)}`, {
      hint: 'install cdc again: scripts/glue is missing from it',
      cause,
    });
  }
}

function named(name: string, extension: string, body: Buffer): JobFile {
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
  return { key: `glue/${name}-${hash}.${extension}`, body };
}
