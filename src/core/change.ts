/** What passes between the halves: one row's insert, update or delete. */

/** As DMS writes it. An update that changes the key is written as D of the old row and I of the new one. */
export type Op = 'I' | 'U' | 'D';

/** A table by its two names, as the source spells them. */
export interface TableName {
  schema: string;
  table: string;
}

/**
 * `shop.orders`, for messages, reports and map keys: one text for one table. A dot in the schema's name is written as `[.]`,
 * as a pattern of cdc.yaml has it, so that the first bare dot always parts the two.
 */
export function formatTableName({ schema, table }: TableName): string {
  return `${schema.replace(/[.[]/g, '[$&]')}.${table}`;
}

/** Reads what formatTableName wrote; undefined for a text without both parts. */
export function readTableName(text: string): TableName | undefined {
  const [, schema, table] = /^((?:\[[.[]\]|[^.])+)\.(.+)$/su.exec(text) ?? [];
  if (schema === undefined || table === undefined) return undefined;
  return { schema: schema.replace(/\[([.[])\]/g, '$1'), table };
}
