"""The lake table's columns after a batch, and how they come about: made, replaced, or new nullable ones added."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from .definition import ColumnDefinition, LakeColumn, TableDefinition
from .errors import CdcError
from .lake_snapshot import APP_ID, KEY, LakeSnapshot

HISTORY_COLUMNS = (LakeColumn("_op", "string"), LakeColumn("_ts", "timestamp"), LakeColumn("_seq", "string"))
"""What `mode: append` adds to each row: the change that brought it."""


@dataclass(frozen=True)
class TargetSchema:
    columns: list[LakeColumn]
    """All of the lake table after the batch, in its order."""
    key: list[LakeColumn]
    """As the lake spells them."""
    replace: bool
    """All rows are replaced, so the columns may become anything."""
    added: list[LakeColumn]
    """Columns that the table, which is there and stays, does not have yet: nullable, at its end."""
    properties: dict[str, str]
    """Table properties to set: all of ours for a new table, the key where it changes."""


def target_schema(
    snapshot: LakeSnapshot | None,
    definition: TableDefinition,
    earlier: Sequence[TableDefinition],
    *,
    replace: bool,
    mode: str,
    app_id: str,
) -> TargetSchema:
    """`earlier`: definitions that rows of the batch, or rows that stay, follow. Raises `table.no-key`, `column.clash`,
    `schema.unsupported`."""
    if not definition.key and mode == "merge":
        raise CdcError(
            "table.no-key",
            f"merging {definition.name}: the table has no key",
            "name a unique key with `key:` in cdc.yaml, or keep its rows as a history with `mode: append`",
        )
    given = [LakeColumn(column.lake, column.delta) for column in definition.columns]
    if mode == "append":
        given += HISTORY_COLUMNS
    _assert_distinct(definition, given)
    for before in earlier:
        _assert_follows(before, definition)
    existing = [] if snapshot is None else snapshot.columns()
    stays = snapshot is not None and not (replace and mode == "merge")
    added = _added_columns(definition, existing, given) if stays else []
    columns = [*existing, *added] if stays else given
    key = _key_columns(definition, columns)
    key_text = json.dumps([column.lake for column in key], ensure_ascii=False, separators=(",", ":"))
    properties: dict[str, str] = {}
    if snapshot is None:
        properties = {APP_ID: app_id, KEY: key_text}
    elif (not stays or added) and snapshot.configuration.get(KEY) != key_text:
        properties = {KEY: key_text}
    return TargetSchema(columns, key, replace, added, properties)


def _assert_follows(earlier: TableDefinition, later: TableDefinition) -> None:
    """New nullable columns without a default; any other difference needs what this version does not do."""
    for column in later.columns:
        before = _find(earlier, column.lake)
        if before is None and not (column.nullable and column.default is None and column.generated is not True):
            raise _unsupported(later, f"column {column.name} was added with a value for the rows that are there")
        if before is not None and before.delta != column.delta:
            raise _unsupported(later, f"column {column.name} was {before.type} and is {column.type}")
    for column in earlier.columns:
        if _find(later, column.lake) is None:
            raise _unsupported(later, f"column {column.name} is gone")
    if [name.lower() for name in earlier.key] != [name.lower() for name in later.key]:
        reason = f"the key was ({', '.join(earlier.key)}) and is ({', '.join(later.key)})"
        raise _unsupported(later, reason)


def _find(definition: TableDefinition, lake: str) -> ColumnDefinition | None:
    return next((column for column in definition.columns if column.lake.lower() == lake.lower()), None)


def _added_columns(
    definition: TableDefinition, existing: Sequence[LakeColumn], given: Sequence[LakeColumn]
) -> list[LakeColumn]:
    added = []
    for column in given:
        known = find_column(existing, column.lake)
        if known is None:
            added.append(column)
        elif known.delta != column.delta:
            reason = f"column {column.lake} is {known.delta} in the lake and {column.delta} by now"
            raise _unsupported(definition, reason)
    return added


def find_column(columns: Sequence[LakeColumn], name: str) -> LakeColumn | None:
    """Names differ, for the lake as for MySQL, only when they differ without case."""
    return next((column for column in columns if column.lake.lower() == name.lower()), None)


def _key_columns(definition: TableDefinition, columns: Sequence[LakeColumn]) -> list[LakeColumn]:
    key = []
    for name in definition.key:
        source = next((one for one in definition.columns if one.name.lower() == name.lower()), None)
        found = None if source is None else find_column(columns, source.lake)
        if found is None:
            raise ValueError(f"the key column {name} is no column of {definition.name}")
        key.append(found)
    return key


def _assert_distinct(definition: TableDefinition, columns: Sequence[LakeColumn]) -> None:
    seen = set()
    for column in columns:
        if column.lake.lower() in seen:
            raise CdcError(
                "column.clash",
                f"merging {definition.name}: two columns are called {column.lake} in the lake",
                "rename the column in the source, or leave the table out",
            )
        seen.add(column.lake.lower())


def _unsupported(definition: TableDefinition, reason: str) -> CdcError:
    return CdcError(
        "schema.unsupported",
        f"merging {definition.name}: {reason}, and this version follows only new nullable columns without a default",
        f"cdc reload {definition.name}",
    )
