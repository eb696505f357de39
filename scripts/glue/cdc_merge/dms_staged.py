"""What staging holds of a table that DMS writes: its epochs, LOAD files and change files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .definition import TableDefinition, read_definitions
from .dms_dialect import Dialect, read_dialect
from .dms_epoch import DmsEpoch
from .dms_scan import DmsScan, ScanRows, scan_dms_files
from .errors import CdcError
from .layout import TableName, table_folder
from .ledger import DmsState
from .names import StagedName, parse_staged_name
from .store import Store, StoredObject
from .times import dms_time

KnownScans = dict[str, DmsScan]
"""Files looked into already, by key: they never change. Filled as files are read."""


@dataclass(frozen=True)
class DmsFile:
    """A change file of DMS."""

    found: StoredObject
    name: str
    """Below the table's folder."""
    time: str
    """The digits of its base name: they order the files."""
    scan: DmsScan | None
    """Of files that are not applied, and of those near the beginning of a new epoch."""


@dataclass(frozen=True)
class DmsTable:
    epochs: list[DmsEpoch]
    """By time."""
    definitions: list[TableDefinition]
    """By number."""
    dialect: Dialect
    loads: list[StoredObject]
    """LOAD files of all epochs, in their order."""
    files: list[DmsFile]
    """By time."""


def read_dms_table(
    staging: Store,
    table: TableName,
    epochs: list[DmsEpoch],
    state: DmsState | None,
    known: KnownScans,
    scan_rows: ScanRows,
) -> DmsTable:
    """Each change file that the table may not have had is looked through once, by the engine."""
    definitions = read_definitions(staging, table)
    dialect = read_dialect(staging)
    folder = table_folder(table)
    staged = [(one, parse_staged_name(one.key[len(folder) :])) for one in staging.list(folder)]
    named = sorted(((one, name) for one, name in staged if name is not None), key=lambda pair: pair[1].order)
    loads = [(one, name) for one, name in named if name.kind == "load"]
    changes = [(one, name) for one, name in named if name.kind == "changes"]
    for one, name in [*loads, *changes]:
        _assert_readable(staging, one, name)
    is_needed = _needed_scans(epochs, state)
    needed = [one for one, _ in changes if is_needed(one.key[len(folder) :])]
    new = [one for one in needed if one.key not in known or known[one.key].size != one.size]
    known |= scan_dms_files(staging, new, definitions, dialect, scan_rows)
    scans = {one.key: known[one.key] for one in needed}
    files = []
    for one, _ in changes:
        path, scan = one.key[len(folder) :], scans.get(one.key)
        if scan is None or not scan.is_ours:
            files.append(DmsFile(one, path, time_of(path), scan))
    return DmsTable(epochs, definitions, dialect, [one for one, _ in loads], files)


def time_of(name: str) -> str:
    """The digits of a change file's base name."""
    return name.rsplit("/", 1)[-1].split(".", 1)[0]


def cut_lengths(epochs: list[DmsEpoch], time: str) -> tuple[int, ...]:
    """Lengths in bytes to which DMS may have cut the large values of a file of this time: those of the epoch that it was
    written in."""
    begun = [epoch for epoch in epochs if dms_time(epoch.started) <= time]
    of = begun[-1:] or epochs[:1]
    return tuple(kilobytes * 1024 for epoch in of for kilobytes in epoch.lob_kb)


_NEAR = timedelta(hours=1)


def _needed_scans(epochs: list[DmsEpoch], state: DmsState | None) -> Callable[[str], bool]:
    """Files that are new, and those that an epoch to come may begin among. What is older than an hour before both is of
    no use."""
    applied = set() if state is None else {file.name for file in state.applied}
    later = [epoch.started for epoch in epochs if state is None or epoch.started > state.started]
    starts = [*([] if state is None else [state.beginning]), *later]
    oldest = dms_time(min([datetime.now(timezone.utc), *starts]) - _NEAR)
    near = [(dms_time(started - _NEAR), dms_time(started)) for started in later]

    def is_needed(name: str) -> bool:
        time = time_of(name)
        return any(start <= time < end for start, end in near) if name in applied else time >= oldest

    return is_needed


def _assert_readable(staging: Store, one: StoredObject, name: StagedName) -> None:
    if name.format == "csv" and not name.gzip:
        return
    raise CdcError(
        "file.format",
        f"reading {staging.location}/{one.key}: this version reads DMS's files as plain CSV only",
        "set DataFormat csv and CompressionType none on the endpoint (cdc init does), then reload the table",
    )
