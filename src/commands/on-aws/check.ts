/** `check` on target aws: account, network, roles, limits, rights and prices, then the source as on every target. */

import type { Answer, Context } from '../../cli/command.ts';
import { renderFindings } from '../../cli/findings.ts';
import { openAws } from '../../cli/open-aws.ts';
import { CancelledError, CdcError } from '../../core/errors.ts';
import { type AwsCheckReport, checkAws } from '../../core/pipeline/aws-check/check.ts';
import type { Finding } from '../../core/source/finding.ts';

export async function checkOnAws(options: { tables: string[] }, context: Context): Promise<Answer> {
  const config = await context.config();
  const opened = await openAws(context, config).catch((failure: unknown) => {
    // Without a session nothing else can be asked: that is the finding.
    if (!(failure instanceof CdcError) || failure instanceof CancelledError || !failure.code.startsWith('aws.'))
      throw failure;
    return failure;
  });
  if (opened instanceof CdcError) {
    const findings: Finding[] = [
      { level: 'error', code: opened.code, message: opened.message, fix: opened.hint ?? 'the message says what' },
    ];
    return { text: renderFindings(findings), json: { findings, ok: false }, exitCode: 3 };
  }
  const report = await checkAws({ ...opened, only: options.tables });
  return {
    text: render(report),
    json: report,
    exitCode: report.ok ? 0 : 3,
    next: report.ok ? [report.facts.includes('everything is made') ? 'cdc replicate' : 'cdc init'] : [],
  };
}

function render({ findings, facts, unknown }: AwsCheckReport): string {
  return [
    facts.join('\n'),
    findings.length === 0 ? 'nothing stands in the way' : renderFindings(findings),
    ['cannot be known from here:', ...unknown.map((line) => `  ${line}`)].join('\n'),
  ].join('\n\n');
}
