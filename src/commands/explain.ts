/** Says what an error code means and what to do about it. */

import { defineCommand } from '../cli/command.ts';
import { textTable } from '../cli/table.ts';
import { ERROR_CODES, type ErrorCodeEntry } from '../core/error-codes.ts';
import { UsageError } from '../core/errors.ts';
import { didYouMean } from '../core/nearest-word.ts';

export interface ExplainOptions {
  /** Absent: list them all. */
  code: string | undefined;
}

export interface ExplainReport {
  codes: ErrorCodeEntry[];
}

export const command = defineCommand({
  arguments: { code: { help: 'a code, as `--verbose` and `--json` show it' } },
  options: {},
  description: `
    Says what an error code means, how it comes about and what mends it. Codes are stable: scripts can rely on the
    \`code\` that an error has with --json. Without a code it lists them.
  `,
  examples: [
    { line: 'cdc explain', does: 'all codes' },
    { line: 'cdc explain position.purged', does: 'one of them' },
  ],
  parse: (input): ExplainOptions => ({ code: input.argument('code') }),
  async run({ code }: ExplainOptions): Promise<ExplainReport> {
    if (code === undefined) return { codes: [...ERROR_CODES] };
    const entry = ERROR_CODES.find((candidate) => candidate.code === code);
    if (entry !== undefined) return { codes: [entry] };
    const near = didYouMean(
      code,
      ERROR_CODES.map((candidate) => candidate.code),
    );
    throw new UsageError(`explain: there is no code ${code}${near}`, '`cdc explain` lists them');
  },
  render({ codes }) {
    const [only] = codes;
    if (codes.length === 1 && only !== undefined) return `${only.code}: ${only.means}\n→ ${only.cure}`;
    return textTable(codes, [
      { title: 'code', value: ({ code }) => code },
      { title: 'means', value: ({ means }) => means },
    ]);
  },
});
