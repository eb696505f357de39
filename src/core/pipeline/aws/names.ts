/** How everything of a pipeline on AWS is called. Pure, so that every command finds what `init` made, without a record. */

import type { AwsConfig, Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';

export interface AwsNames {
  parameterGroup: string;
  database: string;
  /** The subnets of the database, where the network is the user's own. */
  databaseSubnetGroup: string;
  databaseSecurityGroup: string;
  dmsSecurityGroup: string;
  secret: string;
  stagingBucket: string;
  lakeBucket: string;
  codeBucket: string;
  role: Readonly<Record<'dmsS3' | 'dmsSecret' | 'glue' | 'lambda', string>>;
  subnetGroup: string;
  replicationInstance: string;
  certificate: string;
  sourceEndpoint: string;
  targetEndpoint: string;
  function: string;
  job: string;
  /** Starts the job every hour. */
  sweep: string;
  task: Readonly<Record<'full-load' | 'cdc' | 'full-load-and-cdc', string>>;
  logGroup: Readonly<Record<'dms' | 'lambda' | 'glueOutput' | 'glueError', string>>;
}

export function awsNames(config: Config): AwsNames {
  const { name } = config;
  const { staging, lake, roles } = awsOf(config);
  return {
    parameterGroup: `${name}-params`,
    database: `${name}-db`,
    databaseSubnetGroup: `${name}-db`,
    databaseSecurityGroup: `${name}-db`,
    dmsSecurityGroup: `${name}-dms`,
    secret: `${name}/dms-source`,
    stagingBucket: staging.bucket,
    lakeBucket: lake.bucket,
    codeBucket: `${name}-code`,
    role: {
      dmsS3: `${name}-dms-s3`,
      dmsSecret: `${name}-dms-secret`,
      glue: `${name}-glue`,
      lambda: `${name}-lambda`,
      ...roles,
    },
    subnetGroup: `${name}-dms`,
    replicationInstance: `${name}-dms`,
    certificate: `${name}-ca`,
    sourceEndpoint: `${name}-source`,
    targetEndpoint: `${name}-target`,
    function: `${name}-trigger`,
    job: `${name}-merge`,
    sweep: `${name}-sweep`,
    task: {
      'full-load': `${name}-full-load`,
      cdc: `${name}-cdc`,
      'full-load-and-cdc': `${name}-full-load-and-cdc`,
    },
    logGroup: {
      dms: `dms-tasks-${name}-dms`,
      lambda: `/aws/lambda/${name}-trigger`,
      // Glue's own two belong to all jobs of the account, and keep every line for ever: the job is told to use these.
      glueOutput: `${glueLogs(name)}/output`,
      glueError: `${glueLogs(name)}/error`,
    },
  };
}

/** What Glue puts `/output` and `/error` behind. */
export function glueLogs(name: string): string {
  return `/aws-glue/${name}-merge`;
}

export function awsOf(config: Config): AwsConfig {
  if (config.aws === undefined)
    throw new CdcError('target.not-built', `working on AWS: ${config.file} says target: ${config.target}`, {
      hint: 'write `target: aws` in cdc.yaml',
    });
  return config.aws;
}

/** Roles of the whole account, which DMS knows by these names; shared with whoever else uses DMS, and never deleted. */
export const ACCOUNT_ROLES = [
  { name: 'dms-vpc-role', policy: 'service-role/AmazonDMSVPCManagementRole' },
  { name: 'dms-cloudwatch-logs-role', policy: 'service-role/AmazonDMSCloudWatchLogsRole' },
] as const;
