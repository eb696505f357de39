// Who may import whom (DESIGN 3): cli -> commands -> core. The two halves of the product meet only in value files,
// change-file and store; nothing but pipeline knows AWS.
const HALVES = '^src/core/(capture|snapshot|binlog)/';
const LAKE = '^src/core/(merge|delta)/';
module.exports = {
  forbidden: [
    { name: 'core-is-below', severity: 'error', from: { path: '^src/core' }, to: { path: '^src/(commands|cli)' } },
    { name: 'commands-are-apart', severity: 'error', comment: 'a shared piece of two commands belongs in core or beside cli',
      from: { path: '^src/commands/(?!index)([^/]+)' }, to: { path: '^src/(cli\\.ts|commands/index\\.ts)' } },
    { name: 'source-knows-no-lake', severity: 'error', from: { path: HALVES }, to: { path: `${LAKE}|^src/core/engine/` } },
    { name: 'lake-knows-no-source', severity: 'error', from: { path: LAKE }, to: { path: HALVES } },
    { name: 'value-files-stand-alone', severity: 'error', comment: 'files at the top of core import only each other',
      from: { path: '^src/core/[^/]+\\.ts$', pathNot: 'config\\.ts$' }, to: { path: '^src/core/[^/]+/' } },
    { name: 'only-pipeline-knows-aws', severity: 'error', from: { path: '^src', pathNot: '^src/core/(pipeline|aws)/' }, to: { path: '^src/core/aws/' } },
    { name: 'sdk-stays-at-the-edge', severity: 'error', from: { path: '^src', pathNot: '^src/core/(aws/|store/s3)' }, to: { path: '@aws-sdk|@smithy' } },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-dev-code', severity: 'error', from: { path: '^src' }, to: { dependencyTypes: ['npm-dev'] } },
  ],
  options: { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' } },
};
