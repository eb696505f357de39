"""What a table looks like from one change number on: `_cdc/tables/<schema>/<table>/<n>.json`, and inside plans and load records."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from .change_number import format_change_number
from .errors import CdcError
from .json_fields import Fields
from .layout import TableName, definition_folder
from .store import Store

_DELTA_TYPE = re.compile(
    r"byte|short|integer|long|float|double|boolean|string|binary|date|timestamp|decimal\([0-9]+,[0-9]+\)"
)


@dataclass(frozen=True)
class LakeColumn:
    """A column of a lake table."""

    lake: str
    delta: str


@dataclass(frozen=True)
class ColumnDefinition:
    name: str
    type: str
    """MySQL's COLUMN_TYPE: `varchar(50)`, `int unsigned`."""
    nullable: bool
    default: str | None
    """The DEFAULT as information_schema gives it; None when there is none."""
    lake: str
    """The column's name in the lake."""
    delta: str
    """Its Delta type."""
    charset: str | None = None
    collation: str | None = None
    generated: bool | None = None
    invisible: bool | None = None


@dataclass(frozen=True)
class TableDefinition:
    name: TableName
    number: int
    """The change number this definition begins at."""
    columns: tuple[ColumnDefinition, ...]
    key: tuple[str, ...]
    """Names of the key's columns in key order; empty for a table without a key."""
    zero_dates: str
    """`null`, `fail` or `text`."""
    key_index: str | None = None
    charset: str | None = None
    collation: str | None = None


def is_delta_type(text: str) -> bool:
    return _DELTA_TYPE.fullmatch(text) is not None


def definition_to_json(definition: TableDefinition) -> dict[str, Any]:
    """The fields in the order in which the TypeScript engine writes them: plans are equal byte for byte."""
    return without_none(
        {
            "format": 1,
            "schema": definition.name.schema,
            "table": definition.name.table,
            "columns": [_column_to_json(column) for column in definition.columns],
            "key": list(definition.key),
            "charset": definition.charset,
            "collation": definition.collation,
            "number": format_change_number(definition.number),
            "key_index": definition.key_index,
            "zero_dates": definition.zero_dates,
        }
    )


def _column_to_json(column: ColumnDefinition) -> dict[str, Any]:
    optional = without_none(
        {
            "charset": column.charset,
            "collation": column.collation,
            "generated": column.generated,
            "invisible": column.invisible,
        }
    )
    return {
        "name": column.name,
        "type": column.type,
        "nullable": column.nullable,
        "default": column.default,
        **optional,
        "lake": column.lake,
        "delta": column.delta,
    }


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that are not there."""
    return {name: value for name, value in fields.items() if value is not None}


def definition_from_json(fields: Fields) -> TableDefinition:
    """Raises ValueError naming the first field that is wrong."""
    fields.expect("format", 1)
    return TableDefinition(
        name=TableName(fields.text("schema"), fields.text("table")),
        number=fields.number("number"),
        columns=tuple(_column_from_json(column) for column in fields.objects("columns")),
        key=tuple(fields.texts("key")),
        zero_dates=fields.one_of("zero_dates", "null", "fail", "text"),
        key_index=_optional_text(fields, "key_index"),
        charset=_optional_text(fields, "charset"),
        collation=_optional_text(fields, "collation"),
    )


def _column_from_json(fields: Fields) -> ColumnDefinition:
    delta = fields.text("delta")
    if not is_delta_type(delta):
        raise ValueError(f'"{delta}" is no Delta type')
    return ColumnDefinition(
        name=fields.text("name"),
        type=fields.text("type"),
        nullable=fields.flag("nullable"),
        default=None if fields.is_null("default") else fields.text("default"),
        charset=_optional_text(fields, "charset"),
        collation=_optional_text(fields, "collation"),
        generated=fields.flag("generated") if fields.has("generated") else None,
        invisible=fields.flag("invisible") if fields.has("invisible") else None,
        lake=fields.text("lake"),
        delta=delta,
    )


def _optional_text(fields: Fields, name: str) -> str | None:
    return fields.text(name) if fields.has(name) else None


def read_definitions(staging: Store, table: TableName) -> list[TableDefinition]:
    """The versions of a table's definition by the number each begins at. Raises `definition.corrupt`."""
    definitions = []
    for one in staging.list(definition_folder(table)):
        body = staging.get(one.key)
        try:
            definitions.append(definition_from_json(Fields(json.loads(body))))
        except ValueError as error:
            raise CdcError(
                "definition.corrupt",
                f"reading {staging.location}/{one.key}: it is not a table definition ({error})",
                f"cdc reload {table}",
            ) from error
    return sorted(definitions, key=lambda definition: definition.number)
