"""`merge FILE` of a pipeline: the number up to which everything pending is merged, and nothing after it."""

from __future__ import annotations

from .chain import Staged
from .epoch import Standing
from .errors import CdcError
from .layout import TableName
from .store import Store


def find_up_to(staging: Store, table: TableName, staged: Staged, standing: Standing | None, key: str) -> int:
    """Raises `file.unknown` for a key that is no file of the table, `load.unpublished` for a load file no record lists."""
    record = next((one for one in reversed(staged.records) if any(file.key == key for file in one.files)), None)
    if record is not None:
        return record.number
    file = next((one for one in staged.files if one.key == key), None)
    if file is not None:
        # A table that is not there yet begins with its load, which may hold this file's changes already.
        first = staged.records[0] if staged.records else None
        return first.number if standing is None and first and first.number > file.last else file.last
    if key in staged.others:
        raise CdcError(
            "load.unpublished",
            f"merging {staging.location}/{key}: no finished load of {table} lists it, so it does not count",
            "cdc replicate   # finishes the load",
        )
    raise CdcError(
        "file.unknown",
        f"merging {staging.location}/{key}: it is no change file of {table}",
        "cdc files   # lists them",
    )
