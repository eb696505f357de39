/** The files of a table that DMS writes: known by their names, what merge has found in them, and what its plans say. */

import type { TableName } from '../change.ts';
import { readDefinitions } from '../change-file/definitions.ts';
import { type DmsEpoch, dmsTime } from '../change-file/dms-epoch.ts';
import { CdcError } from '../errors.ts';
import { type DmsTable, readDmsTable } from '../merge/dms-staged.ts';
import { beginOf } from '../merge/ledger.ts';
import { type TableState, tableState } from '../merge/table-state.ts';
import type { StoredObject } from '../store/store.ts';
import { mergedInputs, versionsOf } from './merged-inputs.ts';
import type { ListFilesOptions, StagedFileSummary } from './staged-file-summary.ts';

/** In the order in which they count; DMS's files have no numbers of ours. */
export async function listDmsFiles(
  name: TableName,
  epochs: DmsEpoch[],
  options: ListFilesOptions,
): Promise<StagedFileSummary[]> {
  const { staging, lake, onUnreadable } = options;
  const state = await tableState({ ...options, table: name });
  const inputs = await mergedInputs(lake, name, state);
  const versions = versionsOf(inputs);
  const rows = new Map(inputs.map((input) => [input.key, input.rows]));
  const definitions = await readDefinitions(staging, name);
  const table = await readDmsTable(staging, name, { epochs, definitions, state: state?.dms, known: new Map() }).catch(
    (error: unknown): Pick<DmsTable, 'loads' | 'files'> => {
      if (!(error instanceof CdcError) || !/^(file|definition|dialect)[.]/.test(error.code)) throw error;
      onUnreadable(error);
      return { loads: [], files: [] };
    },
  );
  const describe = (
    object: StoredObject,
    kind: 'load' | 'changes',
    rest: Pick<StagedFileSummary, 'rows' | 'state'>,
  ) => ({
    ...name,
    file: object.key,
    kind,
    bytes: object.size,
    published: object.modified.toISOString(),
    first: null,
    last: null,
    position: null,
    ...rest,
    version: rest.state === 'merged' ? (versions.get(object.key) ?? null) : null,
  });
  const applied = new Set(state?.dms?.applied.map((file) => file.name));
  return [
    ...table.loads.map((object) =>
      describe(object, 'load', { rows: null, state: loadState(object, epochs, state, versions) }),
    ),
    ...table.files.map((file) =>
      describe(file, 'changes', {
        rows: file.scan?.rows ?? rows.get(file.key) ?? null,
        state: applied.has(file.name) || isBefore(file.time, state, epochs) ? 'merged' : 'pending',
      }),
    ),
  ];
}

/** What was changed before a load is in it. */
function isBefore(time: string, state: TableState | undefined, epochs: readonly DmsEpoch[]): boolean {
  const started = state?.dms === undefined ? epochs[0]?.started : beginOf(state.dms);
  return started !== undefined && state !== undefined && time < dmsTime(started);
}

function loadState(
  { key, modified }: StoredObject,
  epochs: readonly DmsEpoch[],
  state: TableState | undefined,
  versions: ReadonlyMap<string, number>,
): StagedFileSummary['state'] {
  const second = (time: Date) => Math.floor(time.getTime() / 1000) * 1000;
  const epoch = epochs.findLast(({ kind, started }) => kind === 'load' && modified.getTime() >= second(started));
  // Left by a load that nobody has recorded.
  if (epoch === undefined) return versions.has(key) ? 'merged' : 'unpublished';
  const current = state?.dms?.epoch.started;
  return current !== undefined && current >= epoch.started ? 'merged' : 'pending';
}
