/** How one file that DMS wrote is read: by its header or, where the dialect says that there is none, by its width. Values are never looked at. */

import { formatTableName } from '../change.ts';
import { CdcError } from '../errors.ts';
import type { TableDefinition } from '../table-definition.ts';
import type { Dialect } from './dialect.ts';
import { type FieldRole, type FileLayout, isOurHeader } from './header.ts';

/** Orders changes within a transaction; a transformation rule of the task adds it. */
export const SEQUENCE_COLUMN = 'dms_seq';
/** Before the names of columns that say what a row was before an update. */
export const BEFORE_PREFIX = 'BI_';

export interface DmsLayout {
  layout: FileLayout;
  /** The one of the definitions that knows all columns of the file. */
  definition: TableDefinition;
}

/** `definitions` by number. Throws `definition.unknown`, `file.header`, `file.width`. */
export function dmsLayout(
  first: readonly string[],
  options: { definitions: readonly TableDefinition[]; dialect: Dialect; file: string },
): DmsLayout {
  const { definitions, dialect, file } = options;
  if (isOurHeader(first))
    throw new CdcError('file.header', `reading ${file}, line 1: our own capture wrote it, and DMS follows the table`);
  const nullRule = dialect.null === undefined ? undefined : { text: dialect.null };
  const time = dialect.timestampColumn;
  if (dialect.header === false) return headerless(first, options, nullRule);
  const newest = newestOf(definitions, file);
  const hasOp = first[0] === 'Op' && (time === undefined || first[1] === time);
  const hasTime = time !== undefined && first[hasOp ? 1 : 0] === time;
  if (!hasTime && !(time === undefined && hasOp))
    throw new CdcError(
      'file.header',
      `reading ${file}, line 1: it is not the header of DMS's endpoint (Op,${time ?? 'columns'}, …)`,
      { hint: 'was the endpoint changed by hand? cdc init sets it right; the file must be taken away' },
    );
  const start = (hasOp ? 1 : 0) + (hasTime ? 1 : 0);
  const lead: FieldRole[] = [...(hasOp ? [{ is: 'op' as const }] : []), ...(hasTime ? [{ is: 'time' as const }] : [])];
  for (const definition of [...definitions].reverse()) {
    const roles = columnRoles(first.slice(start), definition);
    if (typeof roles === 'string') continue;
    assertKey(roles, definition, file);
    return {
      layout: { writer: 'dms', hasHeader: true, fields: [...lead, ...roles], null: nullRule },
      definition,
    };
  }
  throw unknownColumn(String(columnRoles(first.slice(start), newest)), newest, file);
}

/** What each field is, or the name of one that nobody knows. Names are compared as MySQL does, without case. */
function columnRoles(names: readonly string[], definition: TableDefinition): FieldRole[] | string {
  const places = new Map(definition.columns.map(({ name }, index) => [name.toLowerCase(), index]));
  const seen = new Set<string>();
  const roles: FieldRole[] = [];
  // A table's own columns come first, so one that is called like an addition is the column when it comes first.
  for (const name of names) {
    const lower = name.toLowerCase();
    const column = places.get(lower);
    const before = lower.startsWith(BEFORE_PREFIX.toLowerCase())
      ? places.get(lower.slice(BEFORE_PREFIX.length))
      : undefined;
    if (column !== undefined && !seen.has(lower)) {
      roles.push({ is: 'column', index: column });
      seen.add(lower);
    } else if (name === SEQUENCE_COLUMN && !roles.some(({ is }) => is === 'number')) roles.push({ is: 'number' });
    else if (before !== undefined) roles.push({ is: 'before', index: before });
    else return name;
  }
  return roles;
}

function headerless(
  first: readonly string[],
  { definitions, dialect, file }: { definitions: readonly TableDefinition[]; dialect: Dialect; file: string },
  nullRule: FileLayout['null'],
): DmsLayout {
  const definition = newestOf(definitions, file);
  const names = ({ columns }: TableDefinition) => JSON.stringify(columns.map(({ name, type }) => [name, type]));
  if (dialect.ddl !== 'frozen' || definitions.some((one) => names(one) !== names(definition)))
    throw new CdcError(
      'file.header',
      `reading ${file}: it has no header, so its columns are only known while nobody changes the table's`,
      { hint: 'have DMS write headers (AddColumnName); or promise it: "ddl": "frozen" in _cdc/dialect.json' },
    );
  const time: FieldRole[] = dialect.timestampColumn === undefined ? [] : [{ is: 'time' }];
  const columns = definition.columns.map((_, index): FieldRole => ({ is: 'column', index }));
  const bare = time.length + columns.length;
  if (first.length !== bare && first.length !== bare + 1)
    throw new CdcError(
      'file.width',
      `reading ${file}, line 1: it has ${first.length} fields, and a row of ${formatTableName(definition)} has ${bare}, or ${bare + 1} with Op`,
      { hint: 'nothing of it was applied; if the columns have changed: cdc reload' },
    );
  const op: FieldRole[] = first.length === bare ? [] : [{ is: 'op' }];
  return {
    layout: { writer: 'dms', hasHeader: false, fields: [...op, ...time, ...columns], null: nullRule },
    definition,
  };
}

function newestOf(definitions: readonly TableDefinition[], file: string): TableDefinition {
  const newest = definitions.at(-1);
  if (newest === undefined)
    throw new CdcError('definition.missing', `reading ${file}: nobody says what its table's columns are`, {
      hint: 'cdc replicate   # writes it down',
    });
  return newest;
}

/** A row without its key cannot be told from others. */
function assertKey(roles: readonly FieldRole[], definition: TableDefinition, file: string): void {
  const missing = definition.key.find((name) => {
    const index = definition.columns.findIndex((column) => column.name.toLowerCase() === name.toLowerCase());
    return !roles.some((role) => role.is === 'column' && role.index === index);
  });
  if (missing === undefined) return;
  throw new CdcError('file.header', `reading ${file}, line 1: the header does not name the key column ${missing}`, {
    hint: `cdc reload ${formatTableName(definition)}`,
  });
}

function unknownColumn(column: string, definition: TableDefinition, file: string): CdcError {
  return new CdcError(
    'definition.unknown',
    `reading ${file}, line 1: no definition of ${formatTableName(definition)} knows the column ${column}`,
    { hint: 'cdc replicate   # reads the columns of the source again; then merge again' },
  );
}
