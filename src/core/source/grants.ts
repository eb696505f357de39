/** What SHOW GRANTS says the user may do. */

import type { Connection } from 'mysql2/promise';
import { queryRows } from './query.ts';

interface Grant {
  privileges: Set<string>;
  /** As written: `*`, or a name in which `%` and `_` are wildcards unless a backslash stands before them. */
  schema: string;
  /** `*` or a name. */
  table: string;
}

export class Grants {
  readonly #grants: Grant[];
  /** Whose they are, quoted as GRANT takes it. */
  readonly user: string;

  constructor(lines: readonly string[]) {
    this.user = lines.flatMap((line) => GRANTEE.exec(line)?.[1] ?? [])[0] ?? 'CURRENT_USER()';
    this.#grants = lines.flatMap((line) => parseGrant(line) ?? []);
  }

  /** On the whole server. */
  has(...oneOf: string[]): boolean {
    return this.#grants.some((grant) => grant.schema === '*' && allows(grant, oneOf));
  }

  /** On this table: by a grant on it, on its schema or on the whole server. */
  hasOn(table: { schema: string; table: string }, privilege: string): boolean {
    return this.#grants.some(
      (grant) =>
        allows(grant, [privilege]) &&
        (grant.schema === '*' || schemaPattern(grant.schema).test(table.schema)) &&
        (grant.table === '*' || grant.table === table.table),
    );
  }
}

export async function readGrants(connection: Connection, signal?: AbortSignal): Promise<Grants> {
  const rows = await queryRows({ connection, sql: 'SHOW GRANTS', doing: 'reading the grants of the user', signal });
  return new Grants(rows.flatMap((row) => Object.values(row).filter((value) => value !== null)));
}

function allows(grant: Grant, oneOf: readonly string[]): boolean {
  return grant.privileges.has('ALL PRIVILEGES') || oneOf.some((privilege) => grant.privileges.has(privilege));
}

const GRANTEE = / TO (`(?:[^`]|``)*`@`(?:[^`]|``)*`)/;
const NAME = '(?:`((?:[^`]|``)*)`|(\\*))';
const GRANT = new RegExp(`^GRANT (.+?) ON (?:TABLE )?${NAME}\\.${NAME} TO `, 's');

/** undefined for roles, proxies and whatever else is no privilege on tables. */
function parseGrant(line: string): Grant | undefined {
  const match = GRANT.exec(line);
  if (match === null) return undefined;
  const [, list = '', schema, anySchema, table, anyTable] = match;
  // A privilege on columns only, `SELECT (a, b)`, is none on the table.
  const privileges = list.split(/,\s*(?![^(]*\))/).filter((privilege) => !privilege.includes('('));
  return {
    privileges: new Set(privileges.map((privilege) => privilege.trim().toUpperCase())),
    schema: anySchema ?? (schema ?? '').replaceAll('``', '`'),
    table: anyTable ?? (table ?? '').replaceAll('``', '`'),
  };
}

function schemaPattern(pattern: string): RegExp {
  const source = pattern.replace(/\\([%_\\])|./gsu, (char, escaped: string | undefined) => {
    if (escaped !== undefined) return escaped === '\\' ? '\\\\' : escaped;
    if (char === '%') return '.*';
    if (char === '_') return '.';
    return char.replace(/[$()*+./?[\\\]^{|}]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 'su');
}
