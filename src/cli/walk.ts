/** The walk of the demo: the guide's sections, each as the commands one would type, run by this same program. */

import { spawn } from 'node:child_process';
import { CancelledError, CdcError } from '../core/errors.ts';
import { packageFile } from '../core/package-file.ts';

export interface WalkRunner {
  /** A section of the guide begins. */
  heading(section: string, title: string): Promise<void>;
  /** Runs `cdc …` in the walk's folder and shows both; throws when it fails. */
  cdc(...words: string[]): Promise<void>;
  say(text: string): Promise<void>;
}

const PROGRAM = packageFile('bin/cdc.js');

/** A file of the package's sql folder. */
export function sqlFile(name: string): string {
  return packageFile(`sql/${name}`);
}

export function walkIn(options: {
  folder: string;
  env: NodeJS.ProcessEnv;
  /** Where the walk is shown: its own lines and what the commands answer. */
  stream: 'stdout' | 'stderr';
  /** Takes a line, or several. */
  write(text: string): Promise<void>;
  signal: AbortSignal;
}): WalkRunner {
  const { folder, env, stream, write, signal } = options;
  return {
    heading: (section, title) => write(`\n§${section}  ${title}`),
    say: write,
    async cdc(...words) {
      await write(`\n$ cdc ${words.map(quoteWord).join(' ')}`);
      const child = spawn(process.execPath, [PROGRAM, ...words], {
        cwd: folder,
        env,
        stdio: ['inherit', stream === 'stdout' ? 'inherit' : 2, 'inherit'],
      });
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', resolve);
      });
      if (signal.aborted) throw new CancelledError();
      if (code !== 0)
        throw new CdcError('demo.failed', `the walk ended at \`cdc ${words.join(' ')}\` (exit ${code})`, {
          hint: `cd ${folder} && cdc logs`,
        });
    },
  };
}

/** As a shell would need it. */
function quoteWord(word: string): string {
  return /^[\w./:=@+-]+$/.test(word)
    ? word
    : word.includes("'")
      ? `"${word.replace(/["\\$`]/g, '\\$&')}"`
      : `'${word}'`;
}
