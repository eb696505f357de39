// Who may import whom (DESIGN 3): cli -> commands -> core. The two halves of the product meet only in value files,
// change-file and store; nothing but pipeline knows AWS.
const SOURCE = '^src/core/(capture|snapshot|binlog|source|server)/';
const LAKE = '^src/core/(merge|delta)/';
module.exports = {
  forbidden: [
    {
      name: 'core-is-below',
      severity: 'error',
      from: { path: '^src/core' },
      to: { path: '^src/(commands|cli)' },
    },
    {
      name: 'core-knows-no-terminal',
      severity: 'error',
      from: { path: '^src/core' },
      to: { path: 'node_modules/(ora|commander)/' },
    },
    {
      name: 'commands-are-below-cli',
      severity: 'error',
      comment: 'the command line finds commands by their table; what they need of it is in the context',
      from: { path: '^src/commands/(?!index\\.ts)' },
      to: { path: '^src/(cli\\.ts|cli/(run|parse|words|help|failure|terminal)\\.ts|commands/index\\.ts)' },
    },
    {
      name: 'commands-hold-no-driver',
      severity: 'error',
      comment: 'no SQL, no SDK and no parser in a command: core works, cli parses',
      from: { path: '^src/commands/' },
      to: { path: 'node_modules/(mysql2|@duckdb|commander|ora|zod|yaml|@aws-sdk|@smithy)/' },
    },
    {
      name: 'cli-knows-no-command',
      severity: 'error',
      comment: 'the table is handed in by cli.ts',
      from: { path: '^src/cli/' },
      to: { path: '^src/(cli\\.ts|commands/)' },
    },
    {
      name: 'help-is-light',
      severity: 'error',
      comment: 'cdc --help answers within 120 ms: what is dear is imported where it is used',
      from: { path: '^src/(cli\\.ts|cli/|commands/index\\.ts)' },
      to: { path: 'node_modules/(ora|zod|yaml|mysql2|@duckdb)/', dynamic: false, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'source-knows-no-lake',
      severity: 'error',
      from: { path: SOURCE },
      to: { path: `${LAKE}|^src/core/engine/` },
    },
    {
      name: 'lake-knows-no-source',
      severity: 'error',
      from: { path: LAKE },
      to: { path: SOURCE },
    },
    {
      name: 'value-files-stand-alone',
      severity: 'error',
      comment: 'files at the top of core import only each other',
      from: { path: '^src/core/[^/]+\\.ts$' },
      to: { path: '^src/core/[^/]+/' },
    },
    {
      name: 'only-pipeline-knows-aws',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/core/(pipeline|aws)/' },
      to: { path: '^src/core/aws/' },
    },
    {
      name: 'sdk-stays-at-the-edge',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/(core/(aws/|store/s3)|lambda/)' },
      to: { path: '@aws-sdk|@smithy' },
    },
    {
      name: 'duckdb-is-loaded-late',
      severity: 'error',
      comment: 'it takes a third of a second: core/engine imports it with its first connection; the values of an answer come after that',
      from: { path: '^src', pathNot: '^src/core/query/query-value\\.ts$' },
      to: { path: 'node_modules/@duckdb/', dynamic: false, dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-dev-code', severity: 'error', from: { path: '^src' }, to: { dependencyTypes: ['npm-dev'] } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
