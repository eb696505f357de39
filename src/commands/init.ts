/** Makes a pipeline: cdc.yaml where there is none, the server, the replication user, the folders. */

import { writeFile } from 'node:fs/promises';
import { chooseConfig } from '../cli/choose-config.ts';
import { defineCommand } from '../cli/command.ts';
import { renderFindings } from '../cli/findings.ts';
import { renderSteps } from '../cli/steps.ts';
import { lookAtLocal, makeLocal, type Step } from '../core/pipeline/local-resources.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { checkPipeline, refuseUnfitSource } from '../core/pipeline/source-tables.ts';
import type { Finding } from '../core/source/finding.ts';

export interface InitOptions {
  /** Values of a new cdc.yaml; with one that is there, they must agree with it. */
  target: string | undefined;
  source: string | undefined;
  tables: string[];
  name: string | undefined;
  region: string | undefined;
  profile: string | undefined;
  only: string | undefined;
}

export const command = defineCommand({
  arguments: {},
  options: {
    target: { value: 'TARGET', help: 'where it runs: local or aws', default: 'local' },
    source: { value: 'SOURCE', help: '`private`, or mysql://user@host:3306 without a password', default: 'private' },
    tables: { value: 'PATTERN', repeat: true, help: 'tables to follow, as shop.orders or shop.%', default: 'all' },
    name: { value: 'NAME', help: 'prefixes what is made', default: "this folder's name and four letters" },
    region: { value: 'REGION', help: 'target aws: the region', default: 'as the AWS tools find it' },
    profile: { value: 'PROFILE', help: 'target aws: the profile of your AWS credentials' },
    only: { value: 'STEP', help: 'target aws: one step of `cdc plan`, with what it needs' },
  },
  changes: true,
  asks: true,
  onAws: () => import('./on-aws/init.ts').then((file) => file.initOnAws),
  description: `
    Makes the pipeline of this folder and leaves it ready to replicate. Where there is no cdc.yaml it writes a
    commented one from the options; where there is one, it makes what that file describes.

    With source \`private\` it starts a MariaDB or MySQL server of its own (CDC_MYSQLD, else the one on this
    machine, else one fetched once into the cache) with a ROW binlog, on 127.0.0.1 and with generated passwords;
    it never touches a server that is already here. With a URL it runs the findings of \`cdc check\` and asks
    before it writes anything to that server. The password of a URL comes from CDC_SOURCE_PASSWORD, or from the
    reference in cdc.yaml.

    Repeated, it makes what is missing and says what was there. A table that cannot be followed is listed with
    its reason and does not hold up the others.
  `,
  examples: [
    { line: 'cdc init', does: 'a private server, every table' },
    { line: "cdc init --tables 'shop.%'", does: 'follow one schema' },
    {
      line: 'CDC_SOURCE_PASSWORD=… cdc init --source mysql://cdc@db.example.com:3306',
      does: 'follow a server of your own',
    },
    { line: 'cdc init --dry-run', does: 'show what would be made (the same as cdc plan)' },
  ],
  parse: (input): InitOptions => ({
    target: input.text('target'),
    source: input.text('source'),
    tables: input.list('tables'),
    name: input.text('name'),
    region: input.text('region'),
    profile: input.text('profile'),
    only: input.text('only'),
  }),
  async run(options: InitOptions, context): Promise<InitReport> {
    const { progress, signal, flags } = context;
    const { config, text, isNew } = await chooseConfig(options, context);
    const pipeline = openPipeline(config, context.env.variables);
    const { steps } = await lookAtLocal(pipeline, !isNew);
    if (flags.dryRun) return { steps, findings: [], made: false };
    const check = () => checkPipeline({ pipeline, signal });
    // A server that is there is looked at first: where it cannot be followed nothing is made.
    const found = config.source.kind === 'private' ? undefined : await check();
    if (found !== undefined) refuseUnfitSource(found);
    if (isNew) {
      await writeFile(config.file, text, { flag: 'wx' });
      progress.done(`made ${config.file}`);
    }
    const taken = await makeLocal({ pipeline, steps, server: context.env, progress, signal });
    // A server that was just made has no tables yet: that is the next step, not a finding.
    const isEmpty = (finding: Finding) => finding.code === 'tables.none' && config.source.kind === 'private';
    const findings = (found ?? (await check())).filter((finding) => !isEmpty(finding));
    return { steps: taken, findings, made: steps.some((step) => step.action !== 'none') };
  },
  render: (report) =>
    [
      report.steps.some((step) => step.action !== 'none')
        ? renderSteps(report.steps, { done: report.made })
        : 'already made',
      renderFindings(report.findings),
    ]
      .filter((part) => part !== '')
      .join('\n\n'),
  json: ({ steps, findings }) => ({ steps, monthly_cost_usd: 0, hourly_cost_usd: 0, findings }),
  exitCode: () => 0,
  next: (report) =>
    report.made ? ['cdc load FILE.sql   # or any SQL, to fill the source', 'cdc replicate'] : ['cdc replicate'],
});

interface InitReport {
  steps: Step[];
  findings: Finding[];
  made: boolean;
}
