/** DuckDB with its delta extension (both from PyPI, for the engine we bundle fetches extensions over the network), to run what `query --ddl duckdb` prints. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { hasPython, type PythonEnvironment, pythonOf } from './python-environment.ts';

const DUCKDB: PythonEnvironment = {
  name: 'duckdb-1.4.4-duckdb-ext-delta-1.4.4.20260205',
  packages: ['duckdb==1.4.4', 'duckdb-ext-delta==1.4.4.20260205'],
  serves: 'what query --ddl duckdb prints',
};

export const hasDuckdbWithDelta = (): Promise<boolean> => hasPython(DUCKDB);

const PROGRAM = `
import duckdb, duckdb_ext, json, pathlib, sys
folder = pathlib.Path(list(duckdb_ext.__path__)[0], "extensions", "v" + duckdb.__version__)
connection = duckdb.connect()
for extension in folder.glob("*/delta.duckdb_extension"):
    connection.load_extension(str(extension))
for sql in json.loads(sys.argv[1]):
    rows = connection.execute(sql).fetchall()
print(json.dumps(rows, default=str))
`;

/** Runs statements in a new database; the rows of the last one. */
export async function runDuckdbSql(...sql: string[]): Promise<unknown[][]> {
  const { stdout } = await promisify(execFile)(await pythonOf(DUCKDB), ['-c', PROGRAM, JSON.stringify(sql)]);
  return z.array(z.array(z.unknown())).parse(JSON.parse(stdout));
}
