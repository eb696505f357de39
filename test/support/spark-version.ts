/** The versions of Spark that the tests run: Glue 5.1's, and with CDC_TEST_SPARK=4.0 (`npm run proof -- spark4`) a newer one. */

import type { MavenArtifact } from '../../src/core/server/maven-central.ts';
import type { PythonEnvironment } from './python-environment.ts';

interface SparkVersion {
  python: PythonEnvironment;
  jars: MavenArtifact[];
}

function delta(scala: string, version: string, spark: string, storage: string): MavenArtifact[] {
  const group = 'io.delta';
  return [
    { group, name: `delta-spark_${scala}`, version, sha256: spark },
    { group, name: 'delta-storage', version, sha256: storage },
  ];
}

/** Delta's Python is what the tests make tables with that SQL cannot describe. */
function python(spark: string, delta: string): PythonEnvironment {
  return {
    name: `pyspark-${spark}-delta-spark-${delta}-boto3-1.44.8`,
    packages: [`pyspark==${spark}`, `delta-spark==${delta}`, 'boto3==1.44.8'],
    serves: 'the merge by Spark',
  };
}

const SPARK_3_5: SparkVersion = {
  python: python('3.5.6', '3.3.2'),
  jars: [
    ...delta(
      '2.12',
      '3.3.2',
      '4e92085d5d794cf949c50bb665b91384857cad58680c2d0bfc9c7ad353e98e85',
      'c096975a2ca97ccc9b4005aa5cce16c9ac3903139d340da6665b66ace67d7c36',
    ),
    // What reads and writes s3://, 268 MB of it.
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

/** Folders only. */
const SPARK_4_0: SparkVersion = {
  python: python('4.0.1', '4.0.0'),
  jars: delta(
    '2.13',
    '4.0.0',
    '538511702aae0ef6973a6a70af3d4543c9009f8edbed786a00737e2d3cd7f04e',
    '9bdb9fb450f1e119eba53feb427f331b0d09072d26485b8273883ad72c9a2e1d',
  ),
};

export const SPARK = process.env.CDC_TEST_SPARK === '4.0' ? SPARK_4_0 : SPARK_3_5;
