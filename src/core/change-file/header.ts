/** The first line of a change file: what ours says, and which writer a header names. Values are never looked at. */

import { CdcError } from '../errors.ts';
import type { TableDefinition } from '../table-definition.ts';
import { formatCsv } from './csv.ts';
import type { Dialect } from './dialect.ts';

/** What stands in one place of a row. */
export type FieldRole =
  | { is: 'op' }
  | { is: 'time' }
  | { is: 'number' }
  | { is: 'column'; index: number }
  /** What the column was before an update. */
  | { is: 'before'; index: number };

/** How one file is read. */
export interface FileLayout {
  /** `cdc`: written by our capture or loader; `dms`: by the endpoint that init makes; `other`: anything else. */
  writer: 'cdc' | 'dms' | 'other';
  hasHeader: boolean;
  fields: FieldRole[];
  /** `escape`: `\N` is NULL and `\\N` the text `\N`; a text: that text is NULL; undefined: an empty field is NULL. */
  null: 'escape' | { text: string } | undefined;
  /** Of DMS: lengths in bytes to which it may have cut large values. */
  cutAt?: readonly number[];
}

/** The header of our own files, with its newline: `Op,cdc_ts,<columns in definition order>,cdc_seq`. */
export function changeHeader(definition: Pick<TableDefinition, 'columns'>): string {
  return `${formatCsv(headerFields(definition))}\n`;
}

function headerFields(definition: Pick<TableDefinition, 'columns'>): string[] {
  return ['Op', 'cdc_ts', ...definition.columns.map((column) => column.name), 'cdc_seq'];
}

/** Whether a first line is that of our own writer. A table may have columns called `Op` or `cdc_seq`: places count, not names. */
export function isOurHeader(fields: readonly string[]): boolean {
  return fields.length >= 3 && fields[0] === 'Op' && fields[1] === 'cdc_ts' && fields.at(-1) === 'cdc_seq';
}

/** Our layout for a table of this many columns. */
export function ourLayout(columns: number): FileLayout {
  return {
    writer: 'cdc',
    hasHeader: true,
    fields: [{ is: 'op' }, { is: 'time' }, ...columnRoles(columns), { is: 'number' }],
    null: 'escape',
  };
}

/** Throws `file.header` unless the first line of a file of ours is the one its definition gives. */
export function assertOurHeader(
  fields: readonly string[],
  definition: Pick<TableDefinition, 'columns'>,
  file: string,
): void {
  const expected = headerFields(definition);
  const at = expected.findIndex((name, index) => name !== fields[index]);
  if (at < 0 && fields.length === expected.length) return;
  const found = fields[at < 0 ? expected.length : at];
  throw new CdcError(
    'file.header',
    `reading ${file}, line 1: its header does not fit the table's definition (field ${(at < 0 ? expected.length : at) + 1} is ${
      found === undefined ? 'missing' : `"${found}"`
    }${at < 0 ? '' : `, expected "${expected[at]}"`}; ${fields.length} fields, expected ${expected.length})`,
    { hint: 'is this a file of another table?' },
  );
}

/**
 * The layout of a file by its first line, the table's columns and the dialect: a header counts when it names every
 * column; without one the width says whether the rows carry an Op.
 */
export function recogniseLayout(
  first: readonly string[],
  options: { columns: readonly string[]; file: string; dialect: Dialect },
): FileLayout {
  const { columns, file, dialect } = options;
  if (isOurHeader(first) && dialect.header !== false) {
    const fields = headerRoles(first, columns, file, { time: 'cdc_ts', number: 'cdc_seq' });
    if (fields !== undefined) return { writer: 'cdc', hasHeader: true, fields, null: 'escape' };
  }
  const nullText = dialect.null === undefined ? undefined : { text: dialect.null };
  if (dialect.header !== false) {
    const names = { time: dialect.timestampColumn ?? 'dms_ts', number: 'dms_seq' };
    const fields = headerRoles(first, columns, file, names);
    if (fields !== undefined) {
      const isDms = fields.some((role) => role.is === 'time' || role.is === 'number');
      return { writer: isDms ? 'dms' : 'other', hasHeader: true, fields, null: nullText };
    }
    if (dialect.header === true)
      throw new CdcError(
        'file.header',
        `reading ${file}, line 1: the header does not name the columns ${columns.join(', ')}`,
      );
  }
  const extra = dialect.timestampColumn === undefined ? 0 : 1;
  const time: FieldRole[] = extra === 0 ? [] : [{ is: 'time' }];
  const roles = columnRoles(columns.length);
  if (first.length === columns.length + extra)
    return { writer: 'other', hasHeader: false, fields: [...time, ...roles], null: nullText };
  if (first.length === columns.length + extra + 1)
    return { writer: 'other', hasHeader: false, fields: [{ is: 'op' }, ...time, ...roles], null: nullText };
  throw new CdcError(
    'file.width',
    `reading ${file}, line 1: it has ${first.length} field${first.length === 1 ? '' : 's'}, but the table has ${columns.length} column${
      columns.length === 1 ? '' : 's'
    } (${columns.join(', ')}), so a row has ${columns.length + extra}, or ${columns.length + extra + 1} with Op first`,
    { hint: 'is this a file of another table? Name all of its columns, in the order of the file, with --columns' },
  );
}

/** What each field of a header is; undefined when it is not a header of these columns. Names are compared as MySQL does, without case. */
function headerRoles(
  first: readonly string[],
  columns: readonly string[],
  file: string,
  extra: { time: string; number: string },
): FieldRole[] | undefined {
  const places = new Map(columns.map((name, index) => [name.toLowerCase(), index]));
  const roles: FieldRole[] = [];
  const seen = new Set<number>();
  for (const [position, name] of first.entries()) {
    const index = places.get(name.toLowerCase());
    if (
      index !== undefined &&
      !seen.has(index) &&
      !(position === 0 && name === 'Op' && first.length > columns.length)
    ) {
      seen.add(index);
      roles.push({ is: 'column', index });
    } else if (position === 0 && name === 'Op') roles.push({ is: 'op' });
    else if (name === extra.time && !roles.some((role) => role.is === 'time')) roles.push({ is: 'time' });
    else if (name === extra.number && position === first.length - 1) roles.push({ is: 'number' });
    else {
      // All columns are named and more: it is a header, of something we do not know (before-images, added columns).
      if (columns.every((column) => first.some((field) => field.toLowerCase() === column.toLowerCase())))
        throw new CdcError(
          'file.header',
          `reading ${file}, line 1: the header names "${name}", which is not a column`,
          {
            hint: 'add it to --columns, or leave it out of the file',
          },
        );
      return undefined;
    }
  }
  if (seen.size === columns.length) return roles;
  const missing = columns.filter((_, index) => !seen.has(index));
  if (seen.size > 0 && roles.some((role) => role.is !== 'column'))
    throw new CdcError('file.header', `reading ${file}, line 1: the header does not name ${missing.join(', ')}`, {
      hint: 'is this a file of another table?',
    });
  return undefined;
}

function columnRoles(columns: number): FieldRole[] {
  return Array.from({ length: columns }, (_, index): FieldRole => ({ is: 'column', index }));
}
