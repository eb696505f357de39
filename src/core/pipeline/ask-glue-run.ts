/** What Glue says of the run that holds a lease (contract.md 9: Spark's are never free by time). */

import type { AwsSession } from '../aws/session.ts';
import { CancelledError, CdcError } from '../errors.ts';
import type { AskRun, RunAnswer } from '../store/lease.ts';

/** States that no run leaves again. One that Glue adds some day counts as under way. */
const OVER: ReadonlySet<string> = new Set(['SUCCEEDED', 'FAILED', 'STOPPED', 'TIMEOUT', 'ERROR', 'EXPIRED']);
/** Whoever waits for a lease tries many times a second; Glue is asked this often. */
const ASK_MS = 5000;
const BY_PERSON = 'cdc merge --take-over';

/** No answer, no right to ask and an unknown run leave the lease to its holder. Touches nothing until it is asked. */
export function askGlueRun(place: { region?: string; profile?: string }): AskRun {
  // Each time anew until one opens: credentials may have been mended meanwhile.
  let opened: AwsSession | undefined;
  let last: { runId: string; at: number; answer: RunAnswer } | undefined;
  return async ({ job, runId }, signal) => {
    if (last?.runId === runId && !last.answer.isOver && performance.now() - last.at < ASK_MS) return last.answer;
    const answer = await ask(job, runId).catch((error: unknown): RunAnswer => {
      if (!(error instanceof CdcError) || error instanceof CancelledError) throw error;
      const cure = error.hint === undefined ? '' : `${error.hint}; or, `;
      return { isOver: false, said: error.message, hint: `${cure}when that run is over: ${BY_PERSON}` };
    });
    last = { runId, at: performance.now(), answer };
    return answer;

    async function ask(jobName: string, id: string): Promise<RunAnswer> {
      // The SDK is loaded by those who need it alone.
      const [{ openSession, withSignal }, { findRun }] = await Promise.all([
        import('../aws/session.ts'),
        import('../aws/glue-run.ts'),
      ]);
      opened ??= await openSession(place);
      const session = signal === undefined ? opened : withSignal(opened, signal);
      const run = await findRun(session, jobName, id);
      if (run === undefined) {
        const where = `account ${session.account}, ${session.region}`;
        return {
          isOver: false,
          said: `Glue knows no such run in ${where}`,
          hint: `if that is where it ran, and nobody merges: ${BY_PERSON}`,
        };
      }
      if (OVER.has(run.state)) return { isOver: true };
      return {
        isOver: false,
        said: `Glue says ${run.state}`,
        hint: `wait until it is over, or stop it: aws glue batch-stop-job-run --job-name ${jobName} --job-run-ids ${id}`,
      };
    }
  };
}
