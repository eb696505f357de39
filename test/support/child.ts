/**
 * Runs a TypeScript file of the tests in a process of its own, for what only processes show: races and SIGKILL.
 * Node 20 reads no TypeScript, so the file and what it imports are stripped of their types into .cache/ first.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

export interface CompiledChild {
  /** The JavaScript file. */
  script: string;
  /** Messages go by IPC; stdout is empty and stderr the test's. */
  start(...args: string[]): ChildProcess;
  remove(): Promise<void>;
}

/** `file` is relative to the repository. */
export async function compileChild(file: string): Promise<CompiledChild> {
  const folder = join(REPOSITORY, '.cache', `child-${randomUUID()}`);
  const done = new Set<string>();
  const compile = async (source: string): Promise<void> => {
    if (done.has(source)) return;
    done.add(source);
    const { outputText } = ts.transpileModule(await readFile(source, 'utf8'), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const target = join(folder, relative(REPOSITORY, source).replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
    for (const [, imported] of outputText.matchAll(/(?:from |import\()['"](\.{1,2}\/[^'"]+)\.js['"]/g))
      await compile(resolve(dirname(source), `${imported}.ts`));
  };
  await compile(join(REPOSITORY, file));
  const script = join(folder, file.replace(/\.ts$/, '.js'));
  return {
    script,
    start: (...args) => fork(script, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
