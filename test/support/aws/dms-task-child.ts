/**
 * One start of a replication task in the emulator (emulator/dms_runs.py) as a process: told by lines of JSON on stdin, until they
 * say stop. It says in lines of JSON how it gets on.
 */

import { createInterface } from 'node:readline';
import { z } from 'zod';
import { dmsTask } from './dms-task-given.ts';
import { DmsTaskRun } from './dms-task-run.ts';

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

let running: DmsTaskRun | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const told = z
    .object({
      task: dmsTask.optional(),
      reload: z.array(z.tuple([z.string(), z.string()])).optional(),
      stop: z.literal(true).optional(),
    })
    .safeParse(JSON.parse(line));
  if (!told.success) {
    say({ failed: z.prettifyError(told.error) });
    process.exit(1);
  }
  const { task: given, reload, stop } = told.data;
  if (given !== undefined) {
    running = new DmsTaskRun(given, say);
    running.run().then(
      () => process.exit(0),
      (error: unknown) => {
        say({ failed: error instanceof Error ? error.message : String(error) });
        process.exit(1);
      },
    );
  }
  if (reload !== undefined) running?.reload(reload.map(([schema, table]) => ({ schema, table })));
  if (stop) running?.stop();
}
