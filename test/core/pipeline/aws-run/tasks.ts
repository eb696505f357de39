/** Replication tasks and table statistics as DMS may show them. */

import type { ReplicationTask, TableStatistics } from '../../../../src/core/aws/dms-task.ts';

export function task(more: Partial<ReplicationTask> = {}): ReplicationTask {
  return {
    arn: 'arn:aws:dms:eu-west-1:1:task:T',
    name: 'shop-full-load-and-cdc',
    kind: 'full-load-and-cdc',
    status: 'running',
    instance: 'i',
    source: 's',
    target: 't',
    tableMappings: '{}',
    settings: '{}',
    stopReason: undefined,
    failure: undefined,
    startPosition: undefined,
    checkpoint: undefined,
    startedAt: new Date('2026-11-23T10:00:00Z'),
    freshStartAt: new Date('2026-11-23T10:00:00Z'),
    stoppedAt: undefined,
    loadFinishedAt: new Date('2026-11-23T10:05:00Z'),
    percent: 100,
    tables: { loaded: 1, loading: 0, queued: 0, errored: 0 },
    ...more,
  };
}

export function table(name: string, more: Partial<TableStatistics> = {}): TableStatistics {
  return {
    schema: 'shop',
    table: name,
    state: 'Table completed',
    loadRows: 10,
    loadErrorRows: 0,
    isReloaded: false,
    loadStartedAt: undefined,
    loadEndedAt: undefined,
    inserts: 0,
    updates: 0,
    deletes: 0,
    ddls: 0,
    updatedAt: undefined,
    ...more,
  };
}
