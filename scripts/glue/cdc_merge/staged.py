"""What staging holds of a table: loads, definitions and change files with their numbers."""

from __future__ import annotations

from .chain import RangedFile, Staged
from .change_number import number_in_run
from .csv_range import NumberRange, read_number_range
from .definition import read_definitions
from .errors import CdcError
from .layout import TableName, dms_epoch_folder, name_of_folder, table_folder
from .load_record import read_load_records
from .names import parse_staged_name
from .side_by_side import side_by_side
from .store import Store, StoredObject

KnownRanges = dict[str, NumberRange]
"""Ranges already known, by key: a file never changes, so one run need not read it twice. Filled as files are read."""


def read_staged(staging: Store, table: TableName, known: KnownRanges | None = None, after: str | None = None) -> Staged:
    """`after`: change files up to this key are merged, and left out; our names only rise. Files first: whatever a file needs (its definition, the truncation below it) was published before it, so it is in
    the lists that are read later."""
    files, others = _list_files(staging, table, {} if known is None else known, after)
    return Staged(read_load_records(staging, table), read_definitions(staging, table), files, others)


def list_staged_tables(staging: Store) -> list[TableName]:
    """Every table that staging knows: each has a definition before its first file."""
    return [
        TableName(name_of_folder(schema), name_of_folder(table))
        for schema in staging.list_folders("_cdc/tables/")
        for table in staging.list_folders(f"_cdc/tables/{schema}/")
    ]


def _list_files(
    staging: Store, table: TableName, known: KnownRanges, after: str | None
) -> tuple[list[RangedFile], list[str]]:
    folder = table_folder(table)
    changes: list[StoredObject] = []
    others: list[str] = []
    for one in staging.list(folder):
        name = parse_staged_name(one.key[len(folder) :])
        if name is not None and name.kind == "changes" and name.format == "csv" and not name.gzip:
            if after is None or one.key > after:
                changes.append(one)
        else:
            others.append(one.key)
    ranged = side_by_side(lambda one: _range_of(staging, table, one, known), changes)
    return [file for file in ranged if file is not None], others


def _range_of(staging: Store, table: TableName, one: StoredObject, known: KnownRanges) -> RangedFile | None:
    found = known.get(one.key)
    if found is None or found.size != one.size:
        try:
            found = read_number_range(staging, one.key, one.size)
        except CdcError as error:
            # It expired between the listing and now; if it was needed, its numbers are missing and said to be.
            if error.code == "store.not-found":
                return None
            if error.code != "file.header" or not staging.list(dms_epoch_folder(table)):
                raise
            # Left from when DMS followed the table.
            found = NumberRange(one.size, None, None)
        known[one.key] = found
    if found.first is None or found.last is None:
        return None
    if found.last < found.first:
        raise CdcError(
            "file.number",
            f"reading {staging.location}/{one.key}: its numbers fall from {number_in_run(found.first)} "
            f"to {number_in_run(found.last)}",
        )
    return RangedFile(one.key, one.size, found.first, found.last, one.modified)
