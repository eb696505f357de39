/** DMS's text of a value as our own capture writes it (DMS files, section 4): what both write alike is left as it is. */

import type { ColumnType } from '../column-type.ts';
import { CdcError } from '../errors.ts';
import type { ColumnDefinition } from '../table-definition.ts';

/** `text`: SQL of a text or NULL. Throws `type.dms` for a type whose text nobody has documented: it is not guessed. */
export function dmsTextSql(type: ColumnType, column: ColumnDefinition, text: string): string {
  switch (type.text) {
    case 'bit':
      if (type.length !== 1)
        throw new CdcError(
          'type.dms',
          `column ${column.name} has type ${column.type}, and how DMS writes it is not documented`,
          { hint: 'leave the table out with `exclude:`, change the column, or follow it with our own capture' },
        );
      return `CASE lower(${text}) WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE ${text} END`;
    case 'hex': {
      const bare = `regexp_replace(${text}, '^0[xX]', '')`;
      // The binlog strips the zeros that fill up a BINARY.
      return type.base === 'binary'
        ? `rpad(${bare}, greatest(length(${bare}), ${2 * (type.length ?? 1)})::INTEGER, '0')`
        : bare;
    }
    case 'datetime':
      return column.delta === 'string' ? fractionSql(text, type.fraction ?? 0) : text;
    case 'text':
      if (type.base === 'time') return fractionSql(text, type.fraction ?? 0);
      // As the server gives it to a client.
      return type.base === 'char' ? `rtrim(${text}, ' ')` : text;
    default:
      return text;
  }
}

/** As many digits of a second as the column has; a text with more that are not zero stays as it is. */
function fractionSql(text: string, digits: number): string {
  const [whole, fraction] = [`split_part(${text}, '.', 1)`, `split_part(${text}, '.', 2)`];
  const padded = `rpad(rtrim(${fraction}, '0'), ${digits}, '0')`;
  const is = `regexp_full_match(${text}, '[-0-9: ]*[0-9]([.][0-9]*)?') AND length(rtrim(${fraction}, '0')) <= ${digits}`;
  return `CASE WHEN ${is} THEN ${digits === 0 ? whole : `${whole} || '.' || ${padded}`} ELSE ${text} END`;
}
