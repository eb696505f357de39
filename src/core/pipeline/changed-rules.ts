/** What cdc.yaml says of a table by now and did not when it was loaded: it counts from the next load, and the worker says so. */

import type { Checkpoint } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { definitionKey } from '../change-file/layout.ts';
import { changeNumber } from '../change-number.ts';
import { tableRuleFor } from '../config.ts';
import { definitionFromJson, type TableDefinition } from '../table-definition.ts';
import type { Pipeline } from './pipeline.ts';

/** A sentence for each table whose rules are others. */
export async function changedRules(
  pipeline: Pipeline,
  tables: readonly TableName[],
  checkpoint: Checkpoint,
): Promise<string[]> {
  const sentences: string[] = [];
  for (const table of tables) {
    const definition = await readInForce(pipeline, table, checkpoint);
    if (definition === undefined) continue;
    const name = formatTableName(table);
    const changed = [
      ...(definition.zeroDates === pipeline.config.merge.zeroDates ? [] : ['`merge.zero_dates`']),
      ...(sameKey(definition, tableRuleFor(pipeline.config, table)?.key) ? [] : ['its `key:`']),
    ];
    if (changed.length > 0)
      sentences.push(
        `${name}: ${changed.join(' and ')} in cdc.yaml changed since it was loaded, and counts from the next load: cdc reload ${name}`,
      );
  }
  return sentences;
}

/** What is missing or unreadable is told by whoever needs it. */
async function readInForce(
  { staging }: Pipeline,
  table: TableName,
  checkpoint: Checkpoint,
): Promise<TableDefinition | undefined> {
  const entry = checkpoint.tables[formatTableName(table)];
  if (entry === undefined) return undefined;
  const body = await staging.getIfPresent(definitionKey(table, changeNumber(entry.run, entry.definitionNumber)));
  try {
    return body === undefined ? undefined : definitionFromJson.parse(JSON.parse(body.toString()));
  } catch {
    return undefined;
  }
}

/** Without `key:` it is the primary key, which has no index of its own in the definition. */
function sameKey(definition: TableDefinition, key: readonly string[] | undefined): boolean {
  if (key === undefined) return definition.keyIndex === undefined;
  const lower = (names: readonly string[]) => JSON.stringify(names.map((name) => name.toLowerCase()).sort());
  return lower(key) === lower(definition.key);
}
