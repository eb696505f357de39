/** A loose file's columns as a user types them: `PersonId bigint, FullName varchar(50) not null, City`. */

import type { TableName } from '../change.ts';
import { parseColumnType } from '../column-type.ts';
import { UsageError } from '../errors.ts';
import { defineTable, type SourceColumn, type TableDefinition } from '../table-definition.ts';

/** Columns with MySQL types, separated by commas; a bare name is text. Throws UsageError. */
export function parseColumnList(text: string): SourceColumn[] {
  const columns = splitOutside(text)
    .map((part) => part.trim())
    .filter((part, index, parts) => part !== '' || index < parts.length - 1)
    .map(parseColumn);
  if (columns.length === 0)
    throw new UsageError('--columns names no column', "write them as --columns 'id bigint, name varchar(50)'");
  const seen = new Set<string>();
  for (const { name } of columns) {
    if (seen.has(name.toLowerCase())) throw new UsageError(`--columns names ${name} twice`);
    seen.add(name.toLowerCase());
  }
  return columns;
}

function parseColumn(text: string): SourceColumn {
  const match = /^(`(?:[^`]|``)+`|"(?:[^"]|"")+"|[^\s`"(]+)\s*(.*)$/s.exec(text);
  const [, word, rest = ''] = match ?? [];
  if (word === undefined)
    throw new UsageError(
      `--columns: "${text}" is no column`,
      "write it as a name and a MySQL type: 'name varchar(50)'",
    );
  const name = /^[`"]/.test(word) ? word.slice(1, -1).replaceAll(word.charAt(0).repeat(2), word.charAt(0)) : word;
  const notNull = /\s*\bnot\s+null\s*$/i;
  const nullable = !notNull.test(rest);
  const type = rest
    .replace(notNull, '')
    .replace(/\s*\bnull\s*$/i, '')
    .trim();
  if (type !== '' && parseColumnType(type) === undefined)
    throw new UsageError(
      `--columns: ${name} has the type "${type}", which this version does not know`,
      'a name without a type is text',
    );
  return { name, type: type === '' ? 'longtext' : type, nullable, default: null };
}

/** At commas that are not inside parentheses or quotes. */
function splitOutside(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = '';
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === "'" || char === '"' || char === '`') quote = char;
    else if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  if (quote !== '' || depth !== 0)
    throw new UsageError(`--columns: a ${quote === '' ? 'parenthesis' : 'quote'} is not closed`);
  return [...parts, text.slice(start)];
}

/** The definition of a table that only --columns and --key describe. Throws UsageError. */
export function defineLooseTable(
  table: TableName,
  columns: readonly SourceColumn[],
  key: readonly string[],
): TableDefinition {
  if (key.length === 0) throw new UsageError('--key names no column');
  const names = key.map((wanted) => {
    const found = columns.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
    if (found === undefined)
      throw new UsageError(
        `--key names ${wanted}, which is not among --columns (${columns.map(({ name }) => name).join(', ')})`,
      );
    return found.name;
  });
  if (new Set(names).size !== names.length) throw new UsageError('--key names a column twice');
  return defineTable(table, {
    number: 0n,
    // A key's column is NOT NULL, as in the source.
    columns: columns.map((column) => (names.includes(column.name) ? { ...column, nullable: false } : column)),
    key: names,
    zeroDates: 'null',
  });
}
