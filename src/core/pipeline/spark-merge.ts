/** Merges with Spark: starts the Glue job's script by spark-submit, shows its lines as they come and reads its report. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { formatTableName, type TableName } from '../change.ts';
import { type Config, tableRuleFor } from '../config.ts';
import { CancelledError, CdcError, throwIfCancelled } from '../errors.ts';
import { packageFile } from '../package-file.ts';
import type { Progress } from '../progress.ts';
import { type JobTable, parseJobReport } from './job-report.ts';
import type { MergeOutcome } from './merge-pending.ts';

export interface SparkMergeOptions {
  config: Config;
  /** What starts Spark, as typed in a shell: `spark-submit --master local[4]`. */
  submit: string;
  tables: readonly TableName[];
  /** The key of a file: what is pending before it comes first, nothing after it. */
  upTo?: string | undefined;
  takeOver: boolean;
  /** A load of DMS counts although nobody has recorded that it is complete. */
  loadComplete: boolean;
  progress: Progress;
  signal: AbortSignal;
}

/** As mergePending does; a table that failed holds up no other. Throws `spark.absent`, `spark.no-delta`, `spark.failed`. */
export async function mergeWithSpark(options: SparkMergeOptions): Promise<MergeOutcome[]> {
  const { progress, signal } = options;
  throwIfCancelled(signal);
  const words = shellWords(options.submit);
  progress.update('starting Spark');
  const run = await runJob(words, scriptArguments(options), progress, signal);
  if (signal.aborted) throw new CancelledError();
  const report = parseJobReport(run.report);
  if (report === undefined) throw noReport(words, run);
  if (report.error !== undefined) throw errorOf(report.error);
  return report.tables.map(({ error, waits, waiting, already, ...counts }): MergeOutcome => {
    const table = { schema: counts.schema, table: counts.table };
    const report = {
      ...counts,
      bytesWritten: 0,
      ...(already === undefined ? {} : { already }),
      ...(waits === undefined ? {} : { waits }),
      ...(waiting === undefined ? {} : { waiting }),
    };
    if (error === undefined) return { table, report };
    return { table, error: errorOf(error), merged: already === true ? undefined : report };
  });
}

function scriptArguments(options: SparkMergeOptions): string[] {
  const { config, tables, upTo, takeOver, loadComplete } = options;
  const append = tables.filter((table) => tableRuleFor(config, table)?.mode === 'append');
  // As JSON, for a name may have a comma in it; the script takes patterns, so their wildcards mean themselves.
  const exactly = (table: TableName) => formatTableName(table).replace(/[%_]/g, '[$&]');
  return [
    packageFile('scripts/glue/merge_changes.py'),
    ...['--staging', config.staging.location],
    ...['--lake', config.lake.location],
    ...['--pipeline', config.name],
    ...['--unfit', config.merge.unfit],
    ...['--tables', JSON.stringify(tables.map(formatTableName))],
    ...(append.length === 0 ? [] : ['--append', JSON.stringify(append.map(exactly))]),
    ...(upTo === undefined ? [] : ['--file', upTo]),
    ...(takeOver ? ['--take_over', 'true'] : []),
    ...(loadComplete ? ['--load_complete', 'true'] : []),
  ];
}

interface Run {
  exitCode: number | null;
  /** The last line of stdout that is JSON. */
  report: string;
  /** The end of stderr. */
  complaint: string;
  /** It could not be started. */
  absent?: string;
}

const COMPLAINT_CHARACTERS = 20_000;

function runJob(
  [command = '', ...words]: readonly string[],
  job: readonly string[],
  progress: Progress,
  signal: AbortSignal,
): Promise<Run> {
  return new Promise((resolve) => {
    const run: Run = { exitCode: null, report: '', complaint: '' };
    const child = spawn(command, [...words, ...job], { stdio: ['ignore', 'pipe', 'pipe'] });
    // It then stops what it has begun and releases its leases.
    const stop = () => child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    createInterface({ input: child.stdout }).on('line', (line) => {
      // spark-submit lets what Python writes to stderr come out here too: after the report stands what sys.exit said.
      if (line.startsWith('{')) run.report = line;
      else progress.update(line);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      run.complaint = `${run.complaint}${chunk.toString()}`.slice(-COMPLAINT_CHARACTERS);
    });
    const end = (more: Partial<Run>) => {
      signal.removeEventListener('abort', stop);
      resolve({ ...run, ...more });
    };
    child.on('error', (error) => end({ absent: error.message }));
    child.on('close', (exitCode) => end({ exitCode }));
  });
}

function errorOf({ code, message, hint }: NonNullable<JobTable['error']>): CdcError {
  return new CdcError(code, message, hint === undefined ? {} : { hint });
}

const INSTALL = "pip install pyspark==3.5.6 (it needs Java 17), or name your Spark's command in merge.spark_submit";
const WITH_DELTA = 'spark-submit --packages io.delta:delta-spark_2.12:3.3.2';

/** Without a report the reason is in what Spark wrote to stderr. */
function noReport([command = '']: readonly string[], { exitCode, complaint, absent }: Run): CdcError {
  if (absent !== undefined)
    return new CdcError('spark.absent', `starting Spark: ${command} cannot be run (${absent})`, { hint: INSTALL });
  if (/JAVA_HOME is not set|Unable to locate a Java Runtime|java: (command )?not found/i.test(complaint))
    return new CdcError('spark.absent', 'starting Spark: it finds no Java', {
      hint: 'install Java 17, or set JAVA_HOME to one',
    });
  if (/ClassNotFoundException: (io\.delta|org\.apache\.spark\.sql\.delta)|Cannot use io\.delta\./.test(complaint))
    return new CdcError('spark.no-delta', 'starting Spark: it does not know Delta', {
      hint: `merge: { spark_submit: '${WITH_DELTA}' } in cdc.yaml fetches it`,
    });
  const lines = complaint
    .split('\n')
    .filter((line) => /\S/.test(line) && !/^\s+at |^\d\d\/\d\d\/\d\d .* (INFO|WARN)/.test(line));
  const why = lines.findLast((line) => /error|exception/i.test(line)) ?? lines.at(-1) ?? 'it said nothing';
  return new CdcError(
    'spark.failed',
    `merging with Spark: ${command} ended with ${exitCode ?? 'a signal'}: ${why.trim()}`,
    {
      hint: 'nothing is half done: what is not committed is merged by the next run',
    },
  );
}

/** The words of a command as a shell parts them: at blanks, but for what quotes hold together. */
export function shellWords(text: string): string[] {
  const words = text.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  return words.map((word) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ''),
  );
}
