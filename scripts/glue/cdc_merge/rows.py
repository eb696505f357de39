"""Change files row by row and strictly, for errors that name a line: the engine reads them for the merge itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .batch import SourceFile
from .csv_range import wrong_number
from .csv_records import CsvRecord, read_csv, read_pieces
from .definition import ColumnDefinition, TableDefinition
from .errors import CdcError
from .header import FileLayout
from .large_value import why_cut
from .row_errors import shorten, wrong_op, wrong_width

_ESCAPED_NULL = re.compile(r"\\+N")
_NUMBER = re.compile(r"[0-9]{35}")


@dataclass(frozen=True)
class ChangeRow:
    op: str | None
    """None in a load file of DMS without Op."""
    ts: str | None
    """Commit time as the file has it."""
    values: tuple[str | None, ...]
    """By column, in the definition's order; None is NULL, or of a column that the file does not have."""
    seq: str | None
    """`cdc_seq` or `dms_seq`; None where it is empty (rows of a load) or absent."""
    line: int
    """The line of the file it begins on."""


def read_rows(source: SourceFile) -> Iterator[ChangeRow]:
    """Raises `file.*` naming file and line at the first thing that is not right."""
    records = read_csv(read_pieces(source.state.store, source.key), source.state.label)
    yield from rows_of(records, source.layout, source.definition, source.state.label)


def rows_of(
    records: Iterator[CsvRecord], layout: FileLayout, definition: TableDefinition, file: str
) -> Iterator[ChangeRow]:
    """The rows of a file whose layout is known, from its records."""
    if layout.has_header:
        next(records, None)
    for record in records:
        yield row_of(record, layout, definition, file)


def row_of(record: CsvRecord, layout: FileLayout, definition: TableDefinition, file: str) -> ChangeRow:
    fields, line = record.fields, record.line
    if len(fields) != len(layout.fields):
        raise wrong_width(file, line, len(fields), len(layout.fields))
    marks: dict[str, str] = {}
    values: list[str | None] = [None] * len(definition.columns)
    for role, field in zip(layout.fields, fields):
        if role.kind == "column":
            values[role.index] = read_field(field, layout, definition.columns[role.index])
        elif role.kind != "before":
            marks[role.kind] = field
    op = marks.get("op")
    if op is not None and op not in ("I", "U", "D"):
        raise wrong_op(file, line, op)
    # DMS has none for the rows of a load, and may write that as NULL.
    number = marks.get("number")
    seq = None if number is None or (layout.writer != "cdc" and number == layout.null) else number or None
    return ChangeRow(op, marks.get("time"), tuple(values), seq, line)


def read_field(field: str, layout: FileLayout, column: ColumnDefinition) -> str | None:
    """A field's text as a value: NULL told apart; of ours the escape of `\\N` taken off."""
    if layout.writer == "cdc":
        if field == "\\N":
            return None
        return field[1:] if _ESCAPED_NULL.fullmatch(field) else field
    if layout.null is not None:
        return None if field == layout.null else field
    return field if field or (not column.nullable and column.delta == "string") else None


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
        else why_cut(value, column, source.layout) or f'column {column.name}: "{shorten(value)}" is no {column.type}'
        for column, value in zip(source.definition.columns, row.values)
        if column.lake in names
    )


def is_cut(source: SourceFile, row: ChangeRow, columns: Iterable[str]) -> bool:
    """Whether a large value among these columns (by lake name) may be cut."""
    names = set(columns)
    return any(
        value is not None and column.lake in names and why_cut(value, column, source.layout) is not None
        for column, value in zip(source.definition.columns, row.values)
    )


def unfit_error(source: SourceFile, row: ChangeRow, reason: str, in_key: bool, cut: bool) -> CdcError:
    """`row.key`: without its key nobody knows what a row would have changed. `row.unfit`: under the policy `fail`."""
    message = f"merging {source.definition.name}: {source.state.label}, line {row.line}, {reason}"
    if in_key:
        return CdcError(
            "row.key",
            message,
            "nothing of the batch was applied: a row whose key does not fit cannot be told from others",
        )
    if cut:
        return CdcError(
            "row.unfit",
            message,
            "nothing of the batch was applied; cdc replicate has DMS write longer values, then cdc reload "
            f"{source.definition.name} (or merge.unfit: quarantine)",
        )
    return CdcError(
        "row.unfit",
        message,
        "nothing of the batch was applied; set `merge.unfit: quarantine` in cdc.yaml to set such rows aside",
    )
