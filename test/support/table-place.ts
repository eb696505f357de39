/** Where the tables of a test lie, folders or a bucket, and how outsiders read them there. */

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { TableName } from '../../src/core/change.ts';
import { tableFolder } from '../../src/core/change-file/layout.ts';
import { openLocalStore } from '../../src/core/store/local.ts';
import { openS3Store } from '../../src/core/store/s3.ts';
import type { Store } from '../../src/core/store/store.ts';
import type { TestBucket } from './aws/bucket.ts';
import { type DeltaRow, readDeltaTable, readDeltaTableByDuckdb } from './python.ts';

export interface TablePlace {
  /** Staging and lake of one pipeline; another name is another pipeline. */
  stores(name: string): { staging: Store; lake: Store };
  /** As Spark names a table of a lake. */
  uri(lake: Store, table: TableName): string;
  /** By delta-rs. */
  read(lake: Store, table: TableName, version?: number): Promise<DeltaRow[]>;
  /** The rows of now by each of the readers that we did not write and that come to the place. */
  readers: readonly ((lake: Store, table: TableName) => Promise<DeltaRow[]>)[];
}

const pathOf = (lake: Store, table: TableName) => `${lake.location}/${tableFolder(table).replace(/\/$/, '')}`;
const at = (version?: number) => (version === undefined ? {} : { version });

export function inFolders(root: string): TablePlace {
  const read: TablePlace['read'] = (lake, table, version) => readDeltaTable(pathOf(lake, table), at(version));
  return {
    stores: (name) => ({
      staging: openLocalStore(join(root, name, 'staging')),
      lake: openLocalStore(join(root, name, 'lake')),
    }),
    uri: (lake, table) => `file://${pathOf(lake, table)}`,
    read,
    readers: [read, (lake, table) => readDeltaTableByDuckdb(pathOf(lake, table))],
  };
}

/** Below a prefix that nothing else has. `root`: for the copies that this machine keeps of what lies there. */
export function inBucket({ name: bucket, storage }: TestBucket, root: string): TablePlace {
  const own = randomUUID();
  const read: TablePlace['read'] = (lake, table, version) =>
    readDeltaTable(pathOf(lake, table), { ...at(version), storage });
  return {
    stores: (name) => {
      const open = (role: string) =>
        openS3Store({ bucket, prefix: `${own}/${name}/${role}` }, { cacheFolder: join(root, name, 'cache') });
      return { staging: open('staging'), lake: open('lake') };
    },
    uri: pathOf,
    read,
    readers: [read],
  };
}
