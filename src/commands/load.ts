/** Runs a dump or any SQL on the source, streamed. */

import { type Context, defineCommand } from '../cli/command.ts';
import { type LoadOptions, type LoadReport, readLoadInput, renderLoad } from '../cli/load-input.ts';
import { CancelledError, UsageError } from '../core/errors.ts';
import { openPipeline, type Pipeline } from '../core/pipeline/pipeline.ts';
import { countStatements } from '../core/source/count-statements.ts';
import { runSql } from '../core/source/run-sql.ts';

export const command = defineCommand({
  arguments: { file: { help: 'a file of SQL, such as a dump, gz or not; - is what is piped in' } },
  options: { execute: { short: 'e', value: 'SQL', help: 'run this text instead of a file' } },
  changes: true,
  asks: true,
  onAws: () => import('./on-aws/load.ts').then((file) => file.loadOnAws),
  description: `
    Runs SQL on the pipeline's source: a dump of any size is read and sent statement by statement, with DELIMITER,
    comments and /*!…*/ as the mysql client has them. It stops at the first statement that fails and names its line;
    what ran before that stays.

    With a server that this tool did not make, it says where it will write and asks first. It is the one command that,
    repeated, does its work again.
  `,
  examples: [
    { line: 'cdc load sql/persons.sql', does: 'a dump' },
    { line: 'ssh db mysqldump shop | cdc load -', does: 'what another program prints' },
    { line: 'cdc load -e "DELETE FROM shop.orders WHERE id = 7"', does: 'one statement' },
  ],

  parse(input): LoadOptions {
    const file = input.argument('file');
    const sql = input.text('execute');
    if ((file === undefined) === (sql === undefined))
      throw new UsageError('load: give one of FILE, - and -e SQL', '`cdc help load` shows examples');
    if (sql !== undefined) return { kind: 'text', sql };
    return file === '-' ? { kind: 'stdin' } : { kind: 'file', file: file ?? '' };
  },

  async run(options: LoadOptions, context: Context): Promise<LoadReport> {
    const { signal, progress, flags } = context;
    const started = performance.now();
    const pipeline = openPipeline(await context.config(), context.env.variables);
    const seconds = () => Math.round(performance.now() - started) / 1000;
    if (flags.dryRun)
      return { ...(await countStatements(readLoadInput(options, context))), seconds: seconds(), dry_run: true };
    if (!(await mayWrite(pipeline, options, context))) throw new CancelledError('nothing was run');
    const address = await pipeline.address('admin');
    const report = await runSql({ address, input: readLoadInput(options, context), signal, progress });
    return { ...report, seconds: seconds() };
  },

  render: renderLoad,
});

/** On a server that the tool did not make it is a guest, and asks. */
async function mayWrite(pipeline: Pipeline, options: LoadOptions, context: Context): Promise<boolean> {
  const { source } = pipeline.config;
  if (source.kind !== 'url') return true;
  const what = options.kind === 'file' ? options.file : options.kind === 'stdin' ? 'what is piped in' : options.sql;
  return context.confirm(`Run ${what} on ${source.host}:${source.port} as ${source.user}?`);
}
