/** Where things lie in staging and lake (DESIGN 3). Everything that builds a key asks here. */

import type { TableName } from '../change.ts';
import { type ChangeNumber, formatChangeNumber } from '../change-number.ts';

/**
 * A schema or table name as a folder name: itself where that is safe, else percent-encoded, so that no name can leave its
 * folder, hide (`.x`), or meet our own `_cdc` and Delta's `_delta_log`.
 */
export function folderName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_.$\u0080-\uffff-]/gu, (char) => encodeURIComponent(char));
  return /^(\.|_cdc$|_delta_log$)/.test(safe)
    ? `%${safe.charCodeAt(0).toString(16).toUpperCase()}${safe.slice(1)}`
    : safe;
}

/** The name a folder stands for; that of a folder which somebody else made is taken as it is. */
export function nameOfFolder(folder: string): string {
  try {
    return decodeURIComponent(folder);
  } catch {
    return folder;
  }
}

/** `shop/orders/`, the same in staging and lake. */
export function tableFolder(table: TableName): string {
  return `${folderName(table.schema)}/${folderName(table.table)}/`;
}

/** The capture's durable state, in staging. */
export const CHECKPOINT_KEY = '_cdc/checkpoint.json';
/** The capture's lease, in staging. */
export const CAPTURE_LEASE = '_cdc/lease/';

export function definitionFolder(table: TableName): string {
  return `_cdc/tables/${tableFolder(table)}`;
}

export function definitionKey(table: TableName, number: ChangeNumber): string {
  return `${definitionFolder(table)}${formatChangeNumber(number)}.json`;
}

export function loadRecordFolder(table: TableName): string {
  return `_cdc/loads/${tableFolder(table)}`;
}

/** When DMS began to load or follow the table, in staging. */
export function dmsEpochFolder(table: TableName): string {
  return `_cdc/dms/${tableFolder(table)}`;
}

/** In staging: how much DDL DMS had counted on each table when it was last right. */
export const COUNTED_DDL = '_cdc/ddl/';

export function countedDdlKey(table: TableName): string {
  return `${COUNTED_DDL}${tableFolder(table)}counted.json`;
}

/** In the lake: the ledger's plans. */
export function batchFolder(table: TableName): string {
  return `${tableFolder(table)}_cdc/batches/`;
}

/** In the lake: the merge's lease. */
export function mergeLease(table: TableName): string {
  return `${tableFolder(table)}_cdc/lease/`;
}

/** In the lake: rows that did not fit. */
export function quarantineFolder(table: TableName): string {
  return `${tableFolder(table)}_cdc/quarantine/`;
}
