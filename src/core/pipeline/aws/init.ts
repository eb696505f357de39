/** `init` on AWS: takes the steps of a plan, in parallel where the graph allows. Whatever ends it, the next run goes on. */

import { isAwsError } from '../../aws/aws-error.ts';
import { withSignal } from '../../aws/session.ts';
import { repeatWhile } from '../../aws/wait.ts';
import { UsageError } from '../../errors.ts';
import { nearestWord } from '../../nearest-word.ts';
import { runGraph, withNeeds } from './graph.ts';
import { type AwsView, notThere, takeIds } from './look.ts';
import { refuseForeign } from './plan.ts';
import { type AwsRecord, type IdName, writeRecord } from './record.ts';
import { type Actual, type AwsContext, type Difference, type Resource, STEP_IDS } from './resource.ts';
import { RunningSteps } from './running-steps.ts';

export interface InitAwsReport {
  /** Ids of the steps that were taken. */
  done: string[];
  ids: Partial<Record<IdName, string>>;
}

/** `only`: one step, with what it needs. Needs no question any more: the caller has asked. */
export async function initAws(view: AwsView, options: { only?: string } = {}): Promise<InitAwsReport> {
  const { context, steps } = view;
  const { session, progress } = { session: context.session, progress: view.options.progress };
  progress.done(`account ${session.account}, region ${session.region}, as ${session.principal}`);
  const toTake = new Set(steps.filter(({ action }) => action !== 'none').map(({ id }) => id));
  const chosen = options.only === undefined ? view.resources : chooseOnly(view, options.only);
  // A step that was in order may not be so any more once one that it needs has been changed.
  const nodes = withDependants(chosen, toTake);
  const changed = new Set<string>();

  const running = new RunningSteps(session.clock, progress);
  const book = new Book(view);
  const done: string[] = [];
  for (const { id, action } of steps) if (action === 'none') book.note(id);
  for (const step of steps)
    for (const difference of step.differences)
      if (!difference.isMendable)
        progress.warn(
          `${step.resource}: ${difference.what} is ${difference.is}, not ${difference.wanted}; left as it is`,
        );
  await runGraph(nodes, {
    signal: session.signal,
    run: async (resource, signal) => {
      const own: AwsContext = {
        ...context,
        session: withSignal(session, signal),
        report: (id, text) => running.report(id, text),
      };
      const before = view.actual.get(resource.id) ?? { state: 'absent' };
      const isStale = before.state !== 'absent' && resource.needs.some((need) => changed.has(need));
      const seen = isStale ? await resource.look(own) : before;
      if (isStale) takeIds(context, seen);
      if (!toTake.has(resource.id) && (!isStale || (seen.state !== 'absent' && mendable(seen).length === 0))) return;
      // Before anything is made, so that what has no tag yet is known as ours after a crash.
      context.begun.add(resource.id);
      await book.save();
      running.begin(resource.id, resource.expectedSeconds);
      const { actual, wasMade } = await bringAbout(own, resource, seen);
      view.actual.set(resource.id, actual);
      if (wasMade !== 'nothing') changed.add(resource.id);
      const took = running.end(resource.id);
      progress.done(
        `${wasMade === 'nothing' ? 'adopted' : wasMade} ${resource.title}${wasMade === 'nothing' ? '' : ` (${took})`}`,
      );
      book.note(resource.id);
      await book.save();
      done.push(resource.id);
    },
  });
  await book.save();
  return { done, ids: Object.fromEntries(context.ids) };
}

/** The steps to take, and those that need one of them, directly or not. */
function withDependants(resources: readonly Resource[], toTake: ReadonlySet<string>): Resource[] {
  const wanted = new Set<string>(toTake);
  for (let size = 0; size !== wanted.size; ) {
    size = wanted.size;
    for (const { id, needs, create } of resources)
      if (create !== undefined && needs.some((need) => wanted.has(need))) wanted.add(id);
  }
  return resources.filter(({ id }) => wanted.has(id));
}

/** Before AWS is asked anything. */
export function refuseUnknownStep(only: string): void {
  if (STEP_IDS.some((id) => id === only)) return;
  throw noSuchStep(only, STEP_IDS);
}

/** A step that other plans have, and the one of this cdc.yaml does not: before anybody is asked whether to make it. */
export function refuseStepNotPlanned({ resources }: Pick<AwsView, 'resources'>, only: string): void {
  const ids = resources.filter(({ create }) => create !== undefined).map(({ id }) => id);
  if (!ids.some((id) => id === only)) throw noSuchStep(only, ids);
}

function noSuchStep(only: string, ids: readonly string[]): UsageError {
  const near = nearestWord(only, ids);
  return new UsageError(
    `--only ${only}: there is no such step`,
    `${near === undefined ? '' : `did you mean ${near}? `}the steps are ${ids.join(', ')}`,
  );
}

function chooseOnly(view: AwsView, only: string): Resource[] {
  refuseStepNotPlanned(view, only);
  return withNeeds(view.resources, only);
}

/** How often a step is looked at and put right before what is left is called drift. */
const ROUNDS = 3;

/** Makes it, or puts it right, and waits until it can be used. Can be repeated at any point. */
async function bringAbout(
  context: AwsContext,
  resource: Resource,
  seen: Actual,
): Promise<{ actual: Actual; wasMade: 'made' | 'changed' | 'nothing' }> {
  let actual = seen;
  let wasMade: 'made' | 'changed' | 'nothing' = 'nothing';
  if (actual.state === 'absent') {
    wasMade = 'made';
    try {
      await resource.create?.(context);
    } catch (error) {
      // Made by a call whose reply was lost, or by somebody else in the meantime: the look tells which.
      if (!isAwsError(error, 'exists')) throw error;
    }
    actual = await lookUntilThere(context, resource);
  }
  refuseForeign([actual]);
  takeIds(context, actual);
  for (let round = 1; round <= ROUNDS; round++) {
    const left = mendable(actual);
    if (left.length === 0 && (round > 1 || wasMade === 'nothing')) break;
    if (left.length > 0 && resource.mend !== undefined) {
      if (wasMade === 'nothing') wasMade = 'changed';
      try {
        await resource.mend(context, left);
      } catch (error) {
        // A change whose reply was lost is under way already; the next round sees what it did.
        if (!isAwsError(error, 'wrong-state') || round === ROUNDS) throw error;
      }
    }
    await resource.settle?.(context);
    actual = await resource.look(context);
    takeIds(context, actual);
  }
  return { actual, wasMade };
}

function mendable(actual: Actual): Difference[] {
  if (actual.state === 'absent' || actual.state === 'foreign') return [];
  return actual.differences.filter(({ isMendable }) => isMendable);
}

/** What was made a moment ago may not be shown yet. */
async function lookUntilThere(context: AwsContext, resource: Resource): Promise<Actual> {
  return repeatWhile(
    context.session,
    { isTooEarly: (error) => isAwsError(error, 'not-made'), boundSeconds: 60 },
    async () => {
      const actual = await resource.look(context);
      if (actual.state === 'absent') throw notThere(resource);
      return actual;
    },
  );
}

/** Writes the record, one write after the other. */
class Book {
  readonly #view: AwsView;
  readonly #made: Set<string>;
  #last: Promise<void> = Promise.resolve();

  constructor(view: AwsView) {
    this.#view = view;
    this.#made = new Set(view.record?.made ?? []);
  }

  note(id: string): void {
    this.#made.add(id);
  }

  async save(): Promise<void> {
    const { context } = this.#view;
    const { session, config } = context;
    this.#last = this.#last.then(() => {
      const record: AwsRecord = {
        pipeline: config.name,
        account: session.account,
        region: session.region,
        principal: session.principal,
        made: [...this.#made],
        begun: [...context.begun],
        ids: Object.fromEntries(context.ids),
      };
      return writeRecord(config, record);
    });
    await this.#last;
  }
}
