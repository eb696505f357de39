/** The text of a new cdc.yaml, commented so that the file explains itself, and the name of a new pipeline. */

export interface TemplateValues {
  name: string;
  target?: 'local' | 'aws';
  /** `private` (target local), `rds` (target aws), or a URL without a password. */
  source: string;
  region?: string;
  profile?: string;
  /** Patterns; empty: every table. */
  tables: readonly string[];
}

export function configTemplate(values: TemplateValues): string {
  return values.target === 'aws' ? awsTemplate(values) : localTemplate(values);
}

function localTemplate(values: TemplateValues): string {
  return `${head(values, 'Paths are relative to this file. ')}
# \`private\`: a MariaDB or MySQL server that the tool starts and keeps beside this file, in .cdc/.
# A server of your own: mysql://user@host:3306. The password is never written here; it comes from CDC_SOURCE_PASSWORD, or:
# source: { url: 'mysql://cdc@db.example.com:3306', password: env:DB_PASSWORD, tls: { ca: ca.pem } }
source: ${quote(values.source)}

${tablesOf(values)}

# Change files: staging/<schema>/<table>/. \`keep\`: how long a merged file stays.
staging: { location: staging, keep: 1d }
# Delta tables: lake/<schema>/<table>/
lake: lake

capture:
  max_file_bytes: 64MB          # a change file closes at the first of the two,
  max_delay: 500ms              # at the end of a transaction; with staging on S3 rather 60s: each file costs requests
  truncate: apply               # TRUNCATE TABLE on the source: apply, or stop the table
  foreign_key_cascades: refuse  # rows changed by ON DELETE/UPDATE CASCADE are not in the binlog: refuse such tables, or accept

merge:
  engine: local                 # or spark: the worker only captures, and cdc merge runs spark_submit
  unfit: fail                   # a row that does not fit its type: fail (nothing is committed), or quarantine it
  zero_dates: 'null'            # 0000-00-00 becomes null, fails, or makes the column text
  write_budget: 20GB            # most that rewriting lake files may write in an hour
  memory_limit: 768MB
`;
}

function awsTemplate(values: TemplateValues): string {
  const account = Object.entries({ region: values.region, profile: values.profile }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}: ${value}`],
  );
  const name = values.name;
  return `${head(values, '')}
# The account: credentials come as for any AWS tool (environment, profile, SSO); left out, so do region and profile.
${account.length === 0 ? '# aws: { region: eu-west-1, profile: default }' : `aws: { ${account.join(', ')} }`}
# Pieces of your own are used as they are and never deleted: \`vpc: vpc-…\` or \`subnets: [subnet-…, subnet-…]\` instead of the default
# VPC; \`roles: { dms_s3: NAME, dms_secret: NAME, glue: NAME, lambda: NAME }\`, any of them.

${
  values.source === 'rds'
    ? rdsKeys
    : `# The password comes from CDC_SOURCE_PASSWORD, or: source: { url: …, password: env:DB_PASSWORD }. \`rds\` makes an instance instead.
source: ${quote(values.source)}`
}

${tablesOf(values)}

# Change files: s3://${name}-staging/<schema>/<table>/. \`keep\`: how long a merged file stays.
staging: { keep: 7d }
# Delta tables: s3://${name}-lake/<schema>/<table>/
# A bucket of your own is used under a prefix and never deleted: lake: { bucket: mine, prefix: lakes/shop }

dms:
  class: dms.t3.micro           # the replication instance; it cannot be stopped, and costs until it is deleted
  private: false                # true: without a public address; endpoints in the VPC lead to S3 and Secrets Manager
  full_load_tasks: 8            # tables loaded at the same time
  max_batch_interval: 300s      # how long changes are gathered before a file is written: each file costs a Glue run

merge:
  unfit: fail                   # a row that does not fit its type: fail (nothing is committed), or quarantine it
  zero_dates: 'null'            # 0000-00-00 becomes null, fails, or makes the column text
`;
}

const rdsKeys = `# An RDS for MySQL instance that \`cdc init\` makes. A server of your own that DMS can reach: mysql://user@host:3306.
source:
  rds:
    class: db.t3.micro
    storage: 20                 # GiB
    version: '8.4'
    user: admin                 # RDS keeps its password
    binlog_retention: 24        # hours a pause of DMS may last; the binlog lies on the instance's disk
    open_to_world: false        # the guide's rule 0.0.0.0/0; false: only your address (\`operator: 203.0.113.7/32\`) and DMS`;

function head({ name, target = 'local' }: TemplateValues, paths: string): string {
  return `# A pipeline of cdc: where rows come from, what is followed, where the files and tables go.
# ${paths}Sizes: 64MB, 768MiB. Durations: 500ms, 10s, 1d. \`cdc check\` reads it.

name: ${name}          # prefixes everything this pipeline makes; do not change it later
target: ${target}
`;
}

function tablesOf(values: TemplateValues): string {
  const tables =
    values.tables.length === 0
      ? "# tables: ['shop.%', { table: shop.audit, mode: append }]"
      : `tables: [${values.tables.map(quote).join(', ')}]`;
  return `# Which tables: schema.table, where % is any run of characters, _ one character and [_] an underscore.
# Left out: every table that is not the system's. An entry may say more:
#   key: [id]       columns to use as key where there is no primary key (unique, not null)
#   mode: append    keep every change as a row, instead of mirroring the table
${tables}
# exclude: ['shop.tmp%']`;
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
