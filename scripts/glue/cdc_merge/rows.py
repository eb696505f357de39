"""Change files row by row and strictly, for errors that name a line: the engine reads them for the merge itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .batch import SourceFile
from .csv_range import wrong_number
from .csv_records import read_csv, read_pieces
from .errors import CdcError
from .row_errors import shorten, wrong_op, wrong_width

_ESCAPED_NULL = re.compile(r"\\+N")
_NUMBER = re.compile(r"[0-9]{35}")


@dataclass(frozen=True)
class ChangeRow:
    op: str
    ts: str
    """Commit time as the file has it."""
    values: tuple[str | None, ...]
    """By column, in the definition's order; None is NULL."""
    seq: str | None
    """`cdc_seq`; None in the rows of a load."""
    line: int
    """The line of the file it begins on."""


def read_rows(source: SourceFile) -> Iterator[ChangeRow]:
    """Raises `file.*` naming file and line at the first thing that is not right."""
    label, width = source.state.label, len(source.definition.columns) + 3
    records = read_csv(read_pieces(source.state.store, source.key), label)
    next(records, None)
    for record in records:
        fields, line = record.fields, record.line
        if len(fields) != width:
            raise wrong_width(label, line, len(fields), width)
        if fields[0] not in ("I", "U", "D"):
            raise wrong_op(label, line, fields[0])
        yield ChangeRow(fields[0], fields[1], tuple(map(read_field, fields[2:-1])), fields[-1] or None, line)


def read_field(field: str) -> str | None:
    """A field's text as a value: NULL told apart, the escape of `\\N` taken off."""
    if field == "\\N":
        return None
    return field[1:] if _ESCAPED_NULL.fullmatch(field) else field


def explain_unreadable(sources: Iterable[SourceFile], numbered: bool, failure: str) -> CdcError:
    """When the engine refuses files: which line is wrong and why. `numbered`: their rows must carry a change number."""
    labels = []
    for source in sources:
        labels.append(source.state.label)
        try:
            for row in read_rows(source):
                if numbered and _NUMBER.fullmatch(row.seq or "") is None:
                    return wrong_number(source.state.label, row.line, row.seq or "")
        except CdcError as error:
            return error
    return CdcError(
        "file.unreadable",
        f"reading {', '.join(labels)}: {failure}",
        "nothing of it was applied; bring the file back from a copy",
    )


def misfit_reason(source: SourceFile, row: ChangeRow, columns: Iterable[str]) -> str:
    """`column qty: "many" is no int`, for the columns (by lake name) whose values do not fit."""
    names = set(columns)
    return "; ".join(
        f"column {column.name}: NULL in the key"
        if value is None
        else f'column {column.name}: "{shorten(value)}" is no {column.type}'
        for column, value in zip(source.definition.columns, row.values)
        if column.lake in names
    )


def unfit_error(source: SourceFile, row: ChangeRow, reason: str, in_key: bool) -> CdcError:
    """`row.key`: without its key nobody knows what a row would have changed. `row.unfit`: under the policy `fail`."""
    message = f"merging {source.definition.name}: {source.state.label}, line {row.line}, {reason}"
    if in_key:
        return CdcError(
            "row.key",
            message,
            "nothing of the batch was applied: a row whose key does not fit cannot be told from others",
        )
    return CdcError(
        "row.unfit",
        message,
        "nothing of the batch was applied; set `merge.unfit: quarantine` in cdc.yaml to set such rows aside",
    )
