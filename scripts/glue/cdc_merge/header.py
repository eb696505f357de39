"""The first line of a change file of ours, and the places of its fields: places count, not names."""

from __future__ import annotations

from collections.abc import Sequence

from .definition import TableDefinition
from .errors import CdcError


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
