/** `logs` on target aws: what DMS, the function, the Glue job and RDS wrote within a day. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { logsOnAws as logs } from '../../core/pipeline/aws-run/logs.ts';

const DAY_MS = 86_400_000;

export async function logsOnAws(options: { follow: boolean; lines: number }, context: Context): Promise<Answer> {
  const run = await openRunOnAws(context);
  const since = new Date(Date.now() - DAY_MS);
  const print = (line: { from: string; time: string; text: string }) =>
    context.emit(line, `${line.time} ${line.from} ${line.text}`);
  if (options.follow) for await (const line of logs({ ...run, since, follow: true })) await print(line);
  else {
    const last: { from: string; time: string; text: string }[] = [];
    for await (const line of logs({ ...run, since, follow: false })) {
      last.push(line);
      if (last.length > options.lines) last.shift();
    }
    for (const line of last) await print(line);
    if (last.length === 0) context.progress.done('nothing was logged within a day');
  }
  return { text: '', json: undefined };
}
