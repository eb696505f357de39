"""From what is pending to what an engine needs for one batch: its files with their definitions, the plan, the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .csv_range import read_header
from .definition import TableDefinition
from .epoch import Epoch
from .errors import CdcError
from .header import FileLayout, assert_our_header, our_layout
from .inputs import InputState, stored_input
from .lake_snapshot import LakeSnapshot, assert_ours
from .layout import TableName, table_folder
from .ledger import Plan, PlanInput, put_plan
from .pending import NextBatch
from .quarantine import count_quarantined
from .side_by_side import side_by_side
from .store import Store
from .target_schema import TargetSchema, target_schema
from .times import iso_time


@dataclass(frozen=True)
class SourceFile:
    """A file that the batch reads."""

    state: InputState
    definition: TableDefinition
    """What its rows follow."""
    rows: int | None = None
    """How many rows it must have: files of a load, where that is known."""
    given_layout: FileLayout | None = None
    """None: that of a file of ours."""

    @property
    def layout(self) -> FileLayout:
        return self.given_layout or our_layout(self.definition)

    @property
    def key(self) -> str:
        return self.state.found.key

    @property
    def uri(self) -> str:
        return self.state.store.uri(self.key)


@dataclass(frozen=True)
class PreparedBatch:
    table: TableName
    draft: Plan
    """The plan without its number."""
    loads: list[SourceFile]
    changes: list[SourceFile]
    after: int
    """Changes above `after` and up to `end` count."""
    end: int
    taken: frozenset[int]
    """Numbers in between that no file holds, rightly."""
    target: TargetSchema
    """`target.replace`: all rows of the table are replaced by the load and the changes, in one commit."""
    states: list[InputState]
    """Of every file that was planned, also an empty one."""
    by_order: bool = False
    """Files of DMS: the changes count in the order of the files and then of their rows; numbers say nothing."""
    repeats: bool = False
    """Some of the changes may be in the table already; of DMS only, for a history."""
    expected_rows: int | None = None
    """Rows that the change files have together, where that is known."""
    least_load_rows: int | None = None
    """Rows that the load has at least, where its files do not say how many each."""

    @property
    def inputs(self) -> list[InputState]:
        return self.states

    def put_plan(self, lake: Store) -> Plan:
        """Writes the plan, which now has its number: call it before the first data file."""
        return put_plan(lake, self.draft, self.target.columns)


def prepare_batch(
    staging: Store,
    lake: Store,
    batch: NextBatch,
    state: Plan | None,
    snapshot: LakeSnapshot | None,
    *,
    app_id: str,
    unfit: str = "fail",
    mode: str = "merge",
) -> PreparedBatch:
    """Raises `input.missing`, `input.changed`, `file.header`, `lake.foreign`, `lake.unsupported`, `schema.unsupported`,
    `table.no-key`, `table.mode-changed`, `column.clash`, all before anything is written."""
    table = batch.definition.name
    epoch = batch.epoch
    assert_mode(table, mode, state, epoch is not None and epoch.kind == "load")
    loads = side_by_side(
        lambda file: _our_source(staging, file.key, batch.definition_of_load, file.size, file.rows),
        () if epoch is None else epoch.files,
    )
    changes = side_by_side(lambda one: _our_source(staging, one.file.key, one.definition), batch.files)
    planned = [PlanInput("load", one.key, one.state.size, one.state.tag) for one in loads]
    planned += [
        PlanInput("changes", source.key, source.state.size, source.state.tag, one.file.first, one.file.last)
        for source, one in zip(changes, batch.files)
    ]
    kind = "load" if epoch is not None else "changes" if batch.files else "schema"
    draft = Plan(
        app_id=app_id,
        kind=kind,
        previous=None if state is None else state.seq,
        version=None if snapshot is None else snapshot.version,
        created=iso_time(lake.now()),
        inputs=tuple(planned),
        definition=batch.definition,
        mode=mode,
        unfit=unfit,
        epoch=Epoch(epoch.kind, epoch.number, epoch.suffix) if epoch else state.epoch if state else None,
        watermark_before=None if state is None else state.watermark_after,
        watermark_after=batch.end,
        quarantined_before=0 if state is None else count_quarantined(lake, state),
    )
    states = [source.state for source in [*loads, *changes]]
    target = target_of(draft, [*loads, *changes], lake, state, snapshot)
    return PreparedBatch(table, draft, loads, changes, batch.after, batch.end, batch.taken, target, states)


def target_of(
    draft: Plan, sources: Sequence[SourceFile], lake: Store, state: Plan | None, snapshot: LakeSnapshot | None
) -> TargetSchema:
    """The lake table's columns after the batch, once it is clear that the table is ours."""
    table = draft.definition.name
    if snapshot is not None:
        assert_ours(snapshot, f"{lake.location}/{table_folder(table)}", draft.app_id, table)
    is_start = draft.epoch is not None and draft.epoch.kind == "start"
    replace = draft.mode == "merge" and draft.kind == "load" and not is_start
    earlier = [source.definition for source in sources]
    if state is not None and not replace:
        earlier.append(state.definition)
    return target_schema(snapshot, draft.definition, earlier, replace=replace, mode=draft.mode, app_id=draft.app_id)


def _our_source(
    staging: Store, key: str, definition: TableDefinition, size: int | None = None, rows: int | None = None
) -> SourceFile:
    """A file of ours, whose header must be the one of its definition. `size`: as the load's record has it."""
    state = stored_input(staging, key)
    if size is not None and state.size != size:
        raise CdcError(
            "input.changed",
            f"reading {state.label}: {state.size} bytes, and the load wrote {size}",
            "bring the file back from a copy, or load the table again: cdc reload",
        )
    assert_our_header(read_header(staging, key), definition, state.label)
    return SourceFile(state, definition, rows)


def assert_mode(table: TableName, mode: str, state: Plan | None, is_load: bool) -> None:
    """A mirror and a history do not mix; only a load makes a mirror of a history."""
    if state is None or state.mode == mode or (mode == "merge" and is_load):
        return
    asked, found = ("append", "a mirror") if mode == "append" else ("mirror", "a history")
    raise CdcError(
        "table.mode-changed",
        f"merging {table}: cdc.yaml says `mode: {asked}`, and its lake table is {found}",
        f"set the mode back, or move the lake table away and then cdc reload {table}"
        if mode == "append"
        else f"set the mode back, or cdc reload {table}",
    )
