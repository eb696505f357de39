/** The whole walk of the guide on this machine, step by step. */

import { access, mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineCommand } from '../cli/command.ts';
import { sqlFile, walkIn } from '../cli/walk.ts';
import { tableFolder } from '../core/change-file/layout.ts';
import { CONFIG_FILE, readConfig } from '../core/config.ts';
import { CdcError, throwIfCancelled, UsageError } from '../core/errors.ts';
import { openPipeline, type Pipeline } from '../core/pipeline/pipeline.ts';
import { type ChangeTiming, timeOneUpdate } from '../core/pipeline/time-one-update.ts';

export interface DemoOptions {
  folder: string | undefined;
}

export const command = defineCommand({
  arguments: {},
  options: {
    folder: { value: 'DIR', help: 'a new folder for the pipeline', default: 'demo' },
  },
  description: `
    Makes a pipeline in a folder of its own and goes through the walk with it: private server, the dump of 129
    persons, full load, six changes, the change file they give, the merge, one live UPDATE timed from its commit
    to the lake, and \`verify\`. Each step is printed as the command you would type. It needs Node and a
    database server (fetched once when there is none), and leaves the folder to go on playing with.
  `,
  examples: [
    { line: 'cdc demo', does: 'the walk, in ./demo' },
    { line: 'cdc demo --folder /tmp/walk', does: 'somewhere else' },
  ],
  parse: (input): DemoOptions => ({ folder: input.text('folder') }),
  async run(options: DemoOptions, context): Promise<DemoReport> {
    const { signal, env, flags } = context;
    const folder = await chooseFolder(options.folder, context.cwd);
    await mkdir(folder, { recursive: true });
    const write = async (text: string) => (flags.json ? context.progress.done(text) : context.emit(text, text));
    const walk = walkIn({
      folder,
      env: { ...env.variables, CDC_CACHE: resolve(context.cwd, env.cacheFolder), CDC_CONFIG: '' },
      stream: flags.json ? 'stderr' : 'stdout',
      write,
      signal,
    });
    const dump = relative(folder, sqlFile('persons.sql'));
    const changes = relative(folder, sqlFile('changes.sql'));

    await walk.heading('3-5', 'The database with its binlog, the folder for change files, the folder of the lake');
    await walk.cdc('init', '--name', 'persons-demo', '--tables', 'ahmad_schema.%');
    const pipeline = openPipeline(await readConfig({ file: join(folder, CONFIG_FILE) }), env.variables);

    await walk.heading('6', 'The dump: a schema, a table with a primary key, 129 persons');
    await walk.cdc('load', dump);

    await walk.heading('7', 'Full load: the table as it is, as a LOAD file, and in the lake');
    await walk.cdc('replicate', '--full-load');
    await walk.cdc('files');

    await walk.heading('8', 'Ongoing replication: six statements, and the change file they give');
    await walk.cdc('replicate', '--ongoing', '--no-merge');
    await walk.cdc('load', changes);
    const first = await nextFile(pipeline, '', signal);
    await walk.cdc('files');
    await walk.cdc('show', first);

    await walk.heading('9', 'Stop everything, and start again: it goes on from exactly there');
    await walk.cdc('stop');
    await walk.cdc('start');

    await walk.heading('10', 'Merge the change file into the lake table');
    await walk.cdc('merge', first);
    await walk.cdc(
      'query',
      'SELECT * FROM ahmad_schema.Persons WHERE PersonId IN (7, 8, 10) OR PersonId > 129 ORDER BY 1',
    );

    await walk.heading('11', 'The trigger: one file handed over as if it had just arrived');
    await walk.cdc('load', '-e', "UPDATE ahmad_schema.Persons SET City = 'Chicago' WHERE PersonId = 130");
    const second = await nextFile(pipeline, first, signal);
    await walk.cdc('trigger', second);

    await walk.heading('12-13', 'The pipeline: from here the worker merges whatever it captures');
    await walk.cdc('stop', '--worker');
    await walk.cdc('replicate');
    const sql = "UPDATE ahmad_schema.Persons SET City = 'Boston' WHERE PersonId = 131";
    await walk.say(`\n$ cdc load -e "${sql}"`);
    const timing = await timeOneUpdate({ pipeline, table: PERSONS, sql, signal });
    await walk.say(`commit → file ${timing.fileSeconds.toFixed(2)} s → lake ${timing.lakeSeconds.toFixed(2)} s`);
    await walk.cdc('verify');
    await walk.cdc('status');
    return { folder: relative(context.cwd, folder) || '.', timing };
  },
  json: ({ folder, timing }) => ({ folder, file_seconds: timing.fileSeconds, lake_seconds: timing.lakeSeconds }),
  render: ({ folder }) =>
    `\nThe pipeline in ${folder}/ is still running: a private database server and a worker. It is yours to play with.`,
  next: ({ folder }) => [
    `cd ${folder}`,
    "cdc load -e \"INSERT INTO ahmad_schema.Persons VALUES (133, 'Joey Tribbiani', 'Queens')\"",
    "cdc query 'SELECT count(*) FROM ahmad_schema.Persons'",
    'cdc destroy --delete-lake --yes   # ends both and removes what was made',
  ],
});

const PERSONS = { schema: 'ahmad_schema', table: 'Persons' };

interface DemoReport {
  folder: string;
  timing: ChangeTiming;
}

/** Where no folder was asked for, the first of demo, demo-2 … that holds no pipeline. */
async function chooseFolder(asked: string | undefined, cwd: string): Promise<string> {
  for (let number = 1; ; number++) {
    const folder = resolve(cwd, asked ?? (number === 1 ? 'demo' : `demo-${number}`));
    const taken = await access(join(folder, CONFIG_FILE)).then(
      () => true,
      () => false,
    );
    if (!taken) return folder;
    if (asked !== undefined)
      throw new UsageError(
        `--folder ${asked}: a pipeline is there already`,
        `name another folder, or end that one: cd ${asked} && cdc destroy`,
      );
  }
}

/** The key of the table's next change file after one. */
async function nextFile(pipeline: Pipeline, after: string, signal: AbortSignal): Promise<string> {
  for (let waited = 0; waited < 30_000; waited += 50) {
    throwIfCancelled(signal);
    const [file] = await pipeline.staging.list(`${tableFolder(PERSONS)}2`, after === '' ? {} : { after });
    if (file !== undefined) return file.key;
    await sleep(50);
  }
  throw new CdcError('demo.stuck', 'no change file has appeared within 30 s', { hint: 'cdc logs' });
}
