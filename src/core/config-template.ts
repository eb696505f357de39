/** The text of a new cdc.yaml, commented so that the file explains itself, and the name of a new pipeline. */

export interface TemplateValues {
  name: string;
  /** `private`, or a URL without a password. */
  source: string;
  /** Patterns; empty: every table. */
  tables: readonly string[];
}

export function configTemplate(values: TemplateValues): string {
  const tables =
    values.tables.length === 0
      ? "# tables: ['shop.%', { table: shop.audit, mode: append }]"
      : `tables: [${values.tables.map(quote).join(', ')}]`;
  return `# A pipeline of cdc: where rows come from, what is followed, where the files and tables go.
# Paths are relative to this file. Sizes: 64MB, 768MiB. Durations: 500ms, 10s, 1d. \`cdc check\` reads it.

name: ${values.name}          # prefixes everything this pipeline makes; do not change it later
target: local

# \`private\`: a MariaDB or MySQL server that the tool starts and keeps beside this file, in .cdc/.
# A server of your own: mysql://user@host:3306. The password is never written here; it comes from CDC_SOURCE_PASSWORD, or:
# source: { url: 'mysql://cdc@db.example.com:3306', password: env:DB_PASSWORD, tls: { ca: ca.pem } }
source: ${quote(values.source)}

# Which tables: schema.table, where % is any run of characters, _ one character and [_] an underscore.
# Left out: every table that is not the system's. An entry may say more:
#   key: [id]       columns to use as key where there is no primary key (unique, not null)
#   mode: append    keep every change as a row, instead of mirroring the table
${tables}
# exclude: ['shop.tmp%']

# Change files: staging/<schema>/<table>/. \`keep\`: how long a merged file stays.
staging: { location: staging, keep: 1d }
# Delta tables: lake/<schema>/<table>/
lake: lake

capture:
  max_file_bytes: 64MB          # a change file closes at the first of the two,
  max_delay: 500ms              # at the end of a transaction
  truncate: apply               # TRUNCATE TABLE on the source: apply, or stop the table
  foreign_key_cascades: refuse  # rows changed by ON DELETE/UPDATE CASCADE are not in the binlog: refuse such tables, or accept

merge:
  engine: local
  unfit: fail                   # a row that does not fit its type: fail (nothing is committed), or quarantine it
  zero_dates: 'null'            # 0000-00-00 becomes null, fails, or makes the column text
  write_budget: 20GB            # most that rewriting lake files may write in an hour
  memory_limit: 768MB
`;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** `persons-qkzw`: the folder's name, reduced, and four letters so that two pipelines of one name do not meet. */
export function pipelineName(folderName: string, random: () => number = Math.random): string {
  const base = folderName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 20)
    .replace(/-+$/, '');
  const letters = Array.from({ length: 4 }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join('');
  return `${base || 'pipeline'}-${letters}`;
}

function quote(text: string): string {
  return /^[a-z]+$/.test(text) ? text : `'${text.replaceAll("'", "''")}'`;
}
