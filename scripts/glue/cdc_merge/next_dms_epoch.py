"""Which load of DMS a table takes next, whether it is complete, and which change files come after it. Pure."""

from __future__ import annotations

from datetime import datetime

from .dms_epoch import DmsEpoch
from .dms_staged import DmsFile, DmsTable
from .ledger import DmsState
from .store import StoredObject
from .times import dms_time


def next_dms_epoch(staged: DmsTable, state: DmsState | None, load_complete: bool) -> DmsEpoch | None:
    """The newest epoch that the table has not had and whose load is complete. One that is not yet does not hold up the one
    before, until it begins to replace its files, for they have the same names."""
    is_replaced = False
    for epoch in reversed(staged.epochs):
        if state is not None and not (epoch.kind == "load" and epoch.started > state.started):
            continue
        if epoch.kind == "start":
            return epoch
        if not is_replaced and (load_complete or _is_complete(staged, epoch)):
            return epoch
        is_replaced = is_replaced or bool(loads_of(staged, epoch))
    return None


def open_load(staged: DmsTable, state: DmsState | None) -> DmsEpoch | None:
    """A load that the table has not had and that nothing says is complete: the newest epoch, for a later one overtakes it."""
    newest = staged.epochs[-1]
    if newest.kind != "load" or newest.state == "complete":
        return None
    is_pending = state is None or newest.started > state.started
    return newest if is_pending and not _is_complete(staged, newest) else None


def loads_of(staged: DmsTable, epoch: DmsEpoch) -> list[StoredObject]:
    """Older ones are leftovers. S3 gives whole seconds."""
    return [one for one in staged.loads if one.modified >= epoch.started.replace(microsecond=0)]


def _is_complete(staged: DmsTable, epoch: DmsEpoch) -> bool:
    loads = loads_of(staged, epoch)
    # DMS writes no file of an empty table; but that a table is empty must be said.
    if epoch.state == "complete":
        return bool(loads) or epoch.rows is not None
    if not epoch.caches or not loads:
        return False
    newest = dms_time(max(one.modified for one in loads))
    return any(file.time > newest for file in staged.files)


def belongs_to(file: DmsFile, started: datetime) -> bool:
    """A file named before the epoch is part of what the load read. Should DMS name a file when it begins to write it, then
    its last change may be younger: that one counts."""
    if file.time >= dms_time(started):
        return True
    second = dms_time(started.replace(microsecond=0)).replace("-", "")[:16]
    return file.scan is not None and file.scan.greatest is not None and file.scan.greatest[:16] >= second
