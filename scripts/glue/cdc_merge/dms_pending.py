"""Which of the files that DMS wrote the next batch of a table takes, and in which order: by name, but for what a resumed task
repeats and what comes late. Pure, as src/core/merge/dms-pending.ts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .dms_epoch import DmsEpoch
from .dms_repeats import greatest, is_above, repeats, some_repeats
from .dms_staged import DmsFile, DmsTable, time_of
from .errors import CdcError
from .layout import TableName
from .ledger import AppliedFile, DmsState
from .next_dms_epoch import belongs_to, loads_of, next_dms_epoch
from .pending import Waiting
from .store import StoredObject
from .times import dms_time


@dataclass(frozen=True)
class DmsInput:
    """A file that the batch reads."""

    file: DmsFile
    applied: AppliedFile | None = None
    """As an earlier batch has had it."""


@dataclass(frozen=True)
class DmsBatch:
    epoch: DmsEpoch | None
    """Begins with it: its load replaces the table."""
    loads: list[StoredObject]
    inputs: list[DmsInput]
    """In the order in which their changes count."""
    before: list[AppliedFile]
    """Applied files that stand before the inputs."""
    sequence: str | None
    """The greatest `dms_seq` once the batch is committed."""
    repeats: bool
    """Some of it may be in the table already, or come twice in the batch."""


@dataclass(frozen=True)
class DmsOptions:
    now: datetime
    up_to: str | None = None
    """The key of a file: nothing after it."""
    load_complete: bool = False
    """Somebody says that the load is complete, whatever the statistics say."""
    keep_history: bool = False
    """A change counts once and never again."""
    replay_wait_seconds: float = 600.0
    """How long what a resumed task repeats waits for its end."""


@dataclass(frozen=True)
class _Start:
    before: list[AppliedFile]
    inputs: list[DmsInput]
    fresh: list[DmsFile]
    """What comes after the inputs, if it may."""


def next_dms_batch(
    table: TableName, staged: DmsTable, state: DmsState | None, options: DmsOptions
) -> tuple[DmsBatch | None, Waiting | None]:
    epoch = next_dms_epoch(staged, state, options.load_complete)
    started = epoch.started if epoch is not None else state.started if state is not None else None
    if started is None:
        return None, _loading(table, staged)
    # A history leaves out nothing that came before a load.
    since = state.beginning if options.keep_history and state is not None else started
    of_epoch = [file for file in staged.files if belongs_to(file, since)]
    applied = [] if state is None else list(state.applied)
    known = {one.name for one in applied}
    fresh = [file for file in of_epoch if file.name not in known]
    if options.keep_history:
        start = _once_only(table, staged, fresh, applied)
    elif epoch is None:
        start = _follow_on(table, staged, fresh, applied, state.sequence if state else None)
    else:
        start = _begin_again(table, of_epoch, fresh, applied, epoch)
    reached = None if state is None else state.sequence
    taken, waiting = _take_fresh(table, staged, start.fresh, reached, options)
    inputs = [*start.inputs, *(DmsInput(file) for file in taken)]
    # Of an epoch what follows it need not be there; without one, only what is new makes a batch.
    new = [one.file for one in inputs if one.applied is None]
    if epoch is None and not new:
        return None, waiting
    return (
        DmsBatch(
            epoch=epoch,
            loads=[] if epoch is None else loads_of(staged, epoch),
            inputs=inputs,
            before=start.before,
            sequence=greatest([reached, *(file.scan.greatest if file.scan else None for file in new)]),
            repeats=some_repeats([one.file for one in inputs], reached),
        ),
        waiting,
    )


def _once_only(table: TableName, staged: DmsTable, fresh: list[DmsFile], applied: list[AppliedFile]) -> _Start:
    """History: what is there stays there, and what repeats is known by its sequence."""
    for file in fresh:
        if file.scan is not None and file.scan.rows > 0 and file.scan.greatest is None:
            raise CdcError(
                "append.no-sequence",
                f"merging {table}: {file.found.key} has no dms_seq, and without it a history would hold changes twice",
                "have the task write it (cdc replicate does), or take `mode: append` out of cdc.yaml",
            )
    there = {file.name for file in staged.files}
    return _Start([one for one in applied if one.name in there], [], fresh)


def _begin_again(
    table: TableName, of_epoch: list[DmsFile], fresh: list[DmsFile], applied: list[AppliedFile], epoch: DmsEpoch
) -> _Start:
    """A new epoch: its load, then every change file of it, also those that the table has had before its load was complete."""
    there = {file.name: file for file in of_epoch}
    since = dms_time(epoch.started)
    again = [one for one in applied if one.name in there or time_of(one.name) >= since]
    return _Start([], [_input_again(table, there, one) for one in again], fresh)


def _follow_on(
    table: TableName, staged: DmsTable, fresh: list[DmsFile], applied: list[AppliedFile], sequence: str | None
) -> _Start:
    """On from where the table stands; from further back where a file comes late."""
    last = greatest(time_of(one.name) for one in applied) or ""
    late = [file for file in fresh if file.time < last and not is_above(file, sequence)]
    there = {file.name: file for file in staged.files}
    if not late:
        # What has left staging is not named any more.
        return _Start([one for one in applied if one.name in there], [], fresh)
    place = next(index for index, one in enumerate(applied) if time_of(one.name) > late[0].time)
    inputs = [_input_again(table, there, one) for one in applied[place:]]
    for file in late:
        at = next((index for index, one in enumerate(inputs) if one.file.time > file.time), len(inputs))
        inputs.insert(at, DmsInput(file))
    before = [one for one in applied[:place] if one.name in there]
    return _Start(before, inputs, [file for file in fresh if file not in late])


def _input_again(table: TableName, there: dict[str, DmsFile], applied: AppliedFile) -> DmsInput:
    file = there.get(applied.name)
    if file is None:
        raise CdcError(
            "replay.gone",
            f"merging {table}: {applied.name} is needed again, for changes before it have come since, "
            "and it is no longer in staging",
            f"cdc reload {table}",
        )
    return DmsInput(file, applied)


def _take_fresh(
    table: TableName, staged: DmsTable, fresh: list[DmsFile], reached: str | None, options: DmsOptions
) -> tuple[list[DmsFile], Waiting | None]:
    """What a resumed task repeats waits for the file that reaches what was there before, and comes with it."""
    asked = fresh
    if options.up_to is not None:
        up_to = next((file.time for file in staged.files if file.found.key == options.up_to), None)
        asked = [file for file in fresh if up_to is not None and file.time <= up_to]
    taken: list[DmsFile] = []
    repeating: list[DmsFile] = []
    for file in asked:
        scan = file.scan
        if not repeating and not repeats(file, reached):
            taken.append(file)
        else:
            repeating.append(file)
        reached = greatest([reached, None if scan is None else scan.greatest])
        if repeating and scan is not None and scan.last is not None and scan.last == reached:
            taken += repeating
            repeating = []
    if not repeating:
        return taken, None
    first = repeating[0].found
    is_over = (options.now - first.modified).total_seconds() > options.replay_wait_seconds
    if options.keep_history or is_over:
        return [*taken, *repeating], None
    detail = f"{table}: the task repeats changes since {first.key}, and is not where it was before"
    return taken, Waiting("replaying", detail, len(repeating), first.modified)


def _loading(table: TableName, staged: DmsTable) -> Waiting | None:
    found = [*(file.found for file in staged.files), *staged.loads]
    if not found:
        return None
    detail = f"{table}: {len(found)} file{'' if len(found) == 1 else 's'} of DMS wait until its load is complete"
    return Waiting("loading", detail, len(found), min(one.modified for one in found))
