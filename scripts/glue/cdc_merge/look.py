"""What of a table is pending now, whoever writes its files, and how its next batch is made ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .batch import PreparedBatch, prepare_batch
from .change_number import number_in_run
from .dms_batch import prepare_dms_batch
from .dms_epoch import DmsEpoch, read_current_dms_epochs
from .dms_pending import DmsBatch, DmsOptions, next_dms_batch
from .dms_scan import ScanRows
from .dms_staged import KnownScans, read_dms_table
from .errors import CdcError
from .lake_snapshot import LakeSnapshot
from .layout import TableName
from .ledger import Plan, read_state, standing_of
from .load_record import LoadRecord
from .next_dms_epoch import loads_of, open_load
from .pending import NextBatch, Waiting, next_batch
from .staged import KnownRanges, read_staged
from .store import Store, StoredObject
from .up_to import find_up_to


AskLoad = Callable[[TableName, DmsEpoch, list[StoredObject]], "DmsEpoch | str | None"]
"""Asks DMS about a load that nobody has called complete (DmsLoads.ask). It answers whatever happens."""


@dataclass
class Known:
    """Files that have been looked into already: they never change."""

    ranges: KnownRanges = field(default_factory=dict)
    scans: KnownScans = field(default_factory=dict)


@dataclass(frozen=True)
class LookOptions:
    """Of one table, for as long as somebody looks at it."""

    staging: Store
    lake: Store
    app_id: str
    """Identifies this pipeline's merges of the table in the log's `txn`."""
    unfit: str = "fail"
    mode: str = "merge"
    up_to: str | None = None
    """The key of a change file or load file in staging: what is pending before it comes first, nothing after it."""
    load_complete: bool = False
    """A load of DMS counts although nobody has recorded that it is complete."""
    ask_load: AskLoad | None = None
    replay_wait_seconds: float = 600.0
    """How long what a resumed task of DMS repeats waits for its end."""
    known: Known = field(default_factory=Known)


@dataclass(frozen=True)
class NextLook:
    """The next batch, before its files are opened."""

    describe: str
    """`the load and numbers 1 to 6`."""
    prepare: Callable[[], PreparedBatch]


@dataclass(frozen=True)
class TableLook:
    snapshot: LakeSnapshot | None
    state: Plan | None
    next: NextLook | None
    waiting: Waiting | None
    newest: int | None = None
    """The last number that is there, merged or not; of files that our own capture wrote."""


def look_at_table(
    options: LookOptions,
    table: TableName,
    snapshot: LakeSnapshot | None,
    scan_rows: ScanRows,
    limit: int | None = None,
) -> TableLook:
    """`scan_rows`: the engine's. `limit`: nothing above this number; of files that our own capture wrote."""
    state = read_state(options.lake, table, None if snapshot is None else snapshot.txns.get(options.app_id))
    epochs = read_current_dms_epochs(options.staging, table)
    if epochs is None:
        return _look_at_ours(options, table, snapshot, state, limit)
    return _look_at_dms(options, table, snapshot, state, epochs, scan_rows)


def _look_at_ours(
    options: LookOptions,
    table: TableName,
    snapshot: LakeSnapshot | None,
    state: Plan | None,
    limit: int | None,
) -> TableLook:
    staging, lake, known = options.staging, options.lake, options.known.ranges
    standing = standing_of(state)
    merged = _last_merged(state) if options.up_to is None else None
    staged = read_staged(staging, table, known, merged)
    # A load counts only with all the changes since, also those that are in the lake already.
    if merged is not None and any(_is_below(record, state) for record in staged.records):
        staged = read_staged(staging, table, known)
    if options.up_to is not None:
        limit = find_up_to(staging, table, staged, standing, options.up_to)
    newest = max((*(one.last for one in staged.files), *(one.number for one in staged.records)), default=None)
    pending = next_batch(table, staged, standing, limit, keep_history=options.mode == "append")
    batch = pending.batch
    if batch is None:
        return TableLook(snapshot, state, None, pending.waiting, newest)
    policies = {"app_id": options.app_id, "unfit": options.unfit, "mode": options.mode}
    upcoming = NextLook(_describe(batch), lambda: prepare_batch(staging, lake, batch, state, snapshot, **policies))
    return TableLook(snapshot, state, upcoming, pending.waiting, newest)


def _last_merged(state: Plan | None) -> str | None:
    """The last change file that the newest batch took whole: it is merged, and so is every file named before it, for our
    names only rise. Else a merge would read a piece of every file that staging keeps."""
    if state is None or state.watermark_after is None:
        return None
    whole = [one for one in state.inputs if one.kind == "changes" and one.last is not None]
    return max((one.key for one in whole if (one.last or 0) <= state.watermark_after), default=None)


def _is_below(record: LoadRecord, state: Plan | None) -> bool:
    """A load that the table has not had, from before where it stands."""
    if state is None:
        return False
    is_new = state.epoch is None or record.rank > state.epoch.rank
    return is_new and record.number < (state.watermark_after or 0)


def _look_at_dms(
    options: LookOptions,
    table: TableName,
    snapshot: LakeSnapshot | None,
    state: Plan | None,
    epochs: list[DmsEpoch],
    scan_rows: ScanRows,
) -> TableLook:
    staging, lake, known = options.staging, options.lake, options.known.scans
    before = None if state is None else state.dms
    staged = read_dms_table(staging, table, epochs, before, known, scan_rows)
    opened = None if options.load_complete or options.ask_load is None else open_load(staged, before)
    answer = None
    if opened is not None and options.ask_load is not None:
        answer = options.ask_load(table, opened, loads_of(staged, opened))
    if isinstance(answer, DmsEpoch):
        # What DMS wrote last may have come since the listing.
        staged = read_dms_table(staging, table, [*epochs[:-1], answer], before, known, scan_rows)
    keys = {one.key for one in [*(file.found for file in staged.files), *staged.loads]}
    if options.up_to is not None and options.up_to not in keys:
        raise CdcError(
            "file.unknown",
            f"merging {staging.location}/{options.up_to}: it is no change file of {table}",
            "cdc files   # lists them",
        )
    batch, waiting = next_dms_batch(
        table,
        staged,
        before,
        DmsOptions(
            now=staging.now(),
            up_to=options.up_to,
            load_complete=options.load_complete,
            keep_history=options.mode == "append",
            replay_wait_seconds=options.replay_wait_seconds,
        ),
    )
    if waiting is not None and waiting.reason == "loading" and isinstance(answer, str):
        waiting = replace(waiting, detail=f"{waiting.detail} ({answer})")
    if batch is None:
        return TableLook(snapshot, state, None, waiting)
    policies = {"app_id": options.app_id, "unfit": options.unfit, "mode": options.mode}
    upcoming = NextLook(
        _describe_dms(batch),
        lambda: prepare_dms_batch(staging, lake, staged, batch, state, snapshot, **policies),
    )
    return TableLook(snapshot, state, upcoming, waiting)


def _describe(batch: NextBatch) -> str:
    parts = [] if batch.epoch is None else [f"the {batch.epoch.kind}"]
    if batch.end > batch.after:
        parts.append(f"numbers {number_in_run(batch.after) + 1} to {number_in_run(batch.end)}")
    return " and ".join(parts)


def _describe_dms(batch: DmsBatch) -> str:
    again = sum(one.applied is not None for one in batch.inputs)
    parts = ["the load"] if batch.epoch is not None and batch.epoch.kind == "load" else []
    if batch.inputs:
        parts.append("changes of DMS")
    if again > 0 and batch.epoch is None:
        parts.append(f"{again} files again, for one came late")
    return " and ".join(parts)
