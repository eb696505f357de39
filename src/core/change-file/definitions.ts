/** The versions of a table's definition, as they lie beside its change files. */

import { formatTableName, type TableName } from '../change.ts';
import { CdcError, messageOf } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { definitionFromJson, type TableDefinition } from '../table-definition.ts';
import { definitionFolder } from './layout.ts';

/** By the number each begins at. Throws CdcError `definition.corrupt`. */
export async function readDefinitions(
  staging: Pick<Store, 'list' | 'get' | 'location'>,
  table: TableName,
): Promise<TableDefinition[]> {
  const objects = await staging.list(definitionFolder(table));
  const definitions = await Promise.all(
    objects.map(async ({ key }) => {
      try {
        return definitionFromJson.parse(JSON.parse((await staging.get(key)).toString()));
      } catch (error) {
        throw new CdcError(
          'definition.corrupt',
          `reading ${staging.location}/${key}: it is not a table definition (${messageOf(error)})`,
          { hint: `cdc reload ${formatTableName(table)}`, cause: error },
        );
      }
    }),
  );
  return definitions.sort((a, b) => (a.number < b.number ? -1 : a.number > b.number ? 1 : 0));
}
