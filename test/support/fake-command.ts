/** A command that does what a test says, for tests of what surrounds commands. */

import { type Command, type CommandEntry, type Context, defineCommand } from '../../src/cli/command.ts';

export interface FakeReport {
  rows: unknown;
}

export function fakeCommand(
  run: (context: Context) => Promise<FakeReport> | FakeReport,
  more: Partial<Pick<Command<undefined, FakeReport>, 'exitCode' | 'next' | 'json' | 'changes' | 'asks'>> = {},
): readonly CommandEntry[] {
  const command = defineCommand({
    arguments: { file: { help: 'a file' } },
    options: {
      key: { value: 'COLUMN', short: 'k', repeat: true, help: 'a column' },
      mode: { value: 'MODE', choices: ['fast', 'careful'], help: 'how' },
      'no-wait': { help: 'return at once' },
    },
    description: 'Does what a test says.',
    examples: [{ line: 'cdc fake', does: 'do it' }],
    ...more,
    parse: () => undefined,
    run: async (_options: undefined, context: Context): Promise<FakeReport> => run(context),
    render: (report: FakeReport) => `rows: ${String(report.rows)}`,
  });
  return [{ name: 'fake', summary: 'fakes', group: 'Fakes', load: async () => command }];
}
