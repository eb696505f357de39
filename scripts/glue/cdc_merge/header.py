"""What stands where in a change file, and the first line of one of ours: there places count, not names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .definition import TableDefinition
from .errors import CdcError


@dataclass(frozen=True)
class FieldRole:
    """What stands in one place of a row."""

    kind: str
    """`op`, `time`, `number`, `column`, or `before`: what the column was before an update (files of DMS)."""
    index: int = -1
    """The column's place in the definition, of `column` and `before`."""


@dataclass(frozen=True)
class FileLayout:
    """How one file is read."""

    writer: str
    """`cdc`: our capture or loader; `dms`: the endpoint that init makes."""
    has_header: bool
    fields: tuple[FieldRole, ...]
    null: str | None
    """`cdc` escapes NULL as \\N. Of `dms` this text is NULL; None: an empty field is, but in a NOT NULL text column."""
    cut_at: tuple[int, ...] = ()
    """Of DMS: lengths in bytes to which it may have cut large values."""


def our_layout(definition: TableDefinition) -> FileLayout:
    columns = (FieldRole("column", index) for index in range(len(definition.columns)))
    return FileLayout("cdc", True, (FieldRole("op"), FieldRole("time"), *columns, FieldRole("number")), None)


def header_fields(definition: TableDefinition) -> list[str]:
    return ["Op", "cdc_ts", *(column.name for column in definition.columns), "cdc_seq"]


def is_our_header(fields: Sequence[str]) -> bool:
    """Whether a first line is that of our own writer. A table may have columns called `Op` or `cdc_seq`."""
    return len(fields) >= 3 and fields[0] == "Op" and fields[1] == "cdc_ts" and fields[-1] == "cdc_seq"


def assert_our_header(fields: Sequence[str], definition: TableDefinition, file: str) -> None:
    """Raises `file.header` unless the first line of a file of ours is the one its definition gives."""
    expected = header_fields(definition)
    if list(fields) == expected:
        return
    at = next((index for index, name in enumerate(expected) if index >= len(fields) or fields[index] != name), None)
    place = len(expected) if at is None else at
    found = f'"{fields[place]}"' if place < len(fields) else "missing"
    wanted = "" if at is None else f', expected "{expected[at]}"'
    raise CdcError(
        "file.header",
        f"reading {file}, line 1: its header does not fit the table's definition (field {place + 1} is "
        f"{found}{wanted}; {len(fields)} fields, expected {len(expected)})",
        "is this a file of another table?",
    )
