/** The rights that replicate, status, stop, start, reload, trigger and logs need, beside those to look that init needs too. Pure. */

export const RUN_RIGHTS: readonly string[] = [
  'cloudwatch:GetMetricData',
  'dms:AddTagsToResource',
  'dms:CreateReplicationTask',
  'dms:DeleteReplicationInstance',
  'dms:DeleteReplicationTask',
  'dms:DescribeTableStatistics',
  'dms:ModifyReplicationTask',
  'dms:ReloadTables',
  'dms:StartReplicationTask',
  'dms:StopReplicationTask',
  'dms:TestConnection',
  'glue:GetJobRun',
  'glue:GetJobRuns',
  'glue:StartJobRun',
  'glue:StartTrigger',
  'glue:StopTrigger',
  'lambda:InvokeFunction',
  'logs:FilterLogEvents',
  'rds:StartDBInstance',
  'rds:StopDBInstance',
];
