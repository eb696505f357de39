"""From what is pending of DMS's files to what a batch needs: the files with their tags and layouts, and the plan."""

from __future__ import annotations

from dataclasses import replace

from .batch import PreparedBatch, SourceFile, assert_mode, target_of
from .csv_range import read_header
from .dms_layout import dms_layout
from .dms_pending import DmsBatch
from .dms_scan import ends_with_a_row
from .dms_staged import DmsTable, cut_lengths
from .errors import CdcError
from .inputs import InputState, input_changed, stored_input
from .lake_snapshot import LakeSnapshot
from .layout import TableName, table_folder
from .ledger import AppliedFile, DmsState, Plan, PlanInput
from .quarantine import count_quarantined
from .rows import read_rows
from .store import Store
from .times import dms_time, iso_time


def prepare_dms_batch(
    staging: Store,
    lake: Store,
    table: DmsTable,
    batch: DmsBatch,
    state: Plan | None,
    snapshot: LakeSnapshot | None,
    *,
    app_id: str,
    unfit: str = "fail",
    mode: str = "merge",
) -> PreparedBatch:
    """Raises what prepare_batch does, `definition.unknown` and `replay.gone`, all before anything is written."""
    epoch = batch.epoch
    before = None if state is None else state.dms
    if not table.definitions or (epoch is None and before is None):
        raise CdcError(
            "definition.missing",
            "merging files of DMS: nobody says what the columns of the table are",
            "cdc replicate   # writes it down",
        )
    definition = table.definitions[-1]
    name = definition.name
    is_load = epoch is not None and epoch.kind == "load"
    began = "" if epoch is None else dms_time(epoch.started)
    assert_mode(name, mode, state, is_load)
    states: list[InputState] = []
    planned: list[PlanInput] = []
    loads: list[SourceFile] = []
    for one in batch.loads:
        found = stored_input(staging, one.key)
        states.append(found)
        planned.append(PlanInput("load", one.key, found.size, found.tag))
        source = _dms_source(staging, found, table, began)
        if source is not None and not ends_with_a_row(staging, one.key, found.size):
            # Strictly it says on which line it was cut.
            for _ in read_rows(source):
                pass
        if source is not None:
            loads.append(source)
    changes: list[SourceFile] = []
    applied = list(batch.before)
    expected_rows: int | None = 0
    for entry in batch.inputs:
        key = entry.file.found.key
        found = stored_input(staging, key)
        if entry.applied is not None:
            _assert_same(staging, found, entry.applied, name)
        states.append(found)
        scan = entry.file.scan
        if scan is not None and scan.size != found.size:
            raise input_changed(found.label, f"it had {scan.size} bytes when it was looked through, and has {found.size}")
        rows = None if scan is None else scan.rows
        planned.append(PlanInput("changes", key, found.size, found.tag, rows=rows))
        applied.append(AppliedFile(key[len(table_folder(name)) :], found.size, _placed_tag(staging, found.tag)))
        source = _dms_source(staging, found, table, entry.file.time)
        if source is not None:
            changes.append(source)
        expected_rows = None if rows is None or expected_rows is None else expected_rows + rows
    draft = Plan(
        app_id=app_id,
        kind="load" if is_load else "changes",
        previous=None if state is None else state.seq,
        version=None if snapshot is None else snapshot.version,
        created=iso_time(lake.now()),
        inputs=tuple(planned),
        definition=definition,
        mode=mode,
        unfit=unfit,
        epoch=None,
        watermark_before=None if state is None else state.watermark_after,
        watermark_after=definition.number,
        quarantined_before=0 if state is None else count_quarantined(lake, state),
        dms=_state_after(batch, before, applied, mode),
    )
    return PreparedBatch(
        table=name,
        draft=draft,
        loads=loads,
        changes=changes,
        after=definition.number,
        end=definition.number,
        taken=frozenset(),
        target=target_of(draft, [*loads, *changes], lake, state, snapshot),
        states=states,
        by_order=True,
        repeats=batch.repeats,
        expected_rows=expected_rows,
        least_load_rows=None if epoch is None else epoch.rows,
    )


def _state_after(batch: DmsBatch, before: DmsState | None, applied: list[AppliedFile], mode: str) -> DmsState:
    epoch = batch.epoch or before
    assert epoch is not None
    since = None if mode == "merge" else epoch.started if before is None else before.beginning
    return DmsState(epoch.kind, epoch.started, batch.sequence, tuple(applied), since)


def _assert_same(staging: Store, found: InputState, known: AppliedFile, table: TableName) -> None:
    """An applied file that a replay reads again. A store that was moved gives other tags: then the size must do."""
    tag = _placed_tag(staging, found.tag)
    if found.size == known.size and (tag == known.tag or _place_of(tag) != _place_of(known.tag)):
        return
    raise CdcError(
        "replay.gone",
        f"merging {table}: {found.label} is needed again, for changes before it have come since, and it was changed",
        f"bring the right file back from a copy, or cdc reload {table}",
    )


def _placed_tag(staging: Store, tag: str) -> str:
    """With its place, where a tag says something only there: S3 gives a copy another ETag when its parts were cut
    otherwise."""
    return tag if tag.startswith("sha256:") else f"{tag} {staging.location}"


def _place_of(tag: str) -> str:
    return "anywhere" if tag.startswith("sha256:") else tag.partition(" ")[2]


def _dms_source(staging: Store, found: InputState, table: DmsTable, time: str) -> SourceFile | None:
    """None for an empty file. `time`: when it was written."""
    first = read_header(staging, found.found.key)
    if not first:
        return None
    layout, definition = dms_layout(first, table.definitions, table.dialect, found.label)
    layout = replace(layout, cut_at=cut_lengths(table.epochs, time))
    return SourceFile(found, definition, None, layout)
