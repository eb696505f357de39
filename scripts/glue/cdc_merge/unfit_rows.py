"""Rows whose values do not fit their types: an error that names the first, or the quarantine they go to whole."""

from __future__ import annotations

from collections.abc import Sequence

from .batch import PreparedBatch, SourceFile
from .csv_records import CsvRecord
from .quarantine import UnfitRow
from .rows import is_cut, misfit_reason, row_of, unfit_error
from .staged_rows import RowReader


def take_unfit_rows(
    reader: RowReader, batch: PreparedBatch, sources: Sequence[SourceFile], window: tuple[int, int] | None
) -> list[UnfitRow]:
    """Of files that have such rows. Raises `row.unfit` under the policy `fail`, and `row.key` whatever the policy: without
    its key nobody knows what a row would have changed."""
    key = {one.lake.lower() for one in batch.target.key}
    taken: list[UnfitRow] = []
    seen: set[str] = set()
    for source in sources:
        columns, file = source.definition.columns, source.state.label
        misfits = reader.misfits(source, window)
        if batch.draft.unfit == "fail":
            misfits = misfits.limit(1)
        for found in misfits.collect():
            row = row_of(CsvRecord(tuple(found["fields"]), found["line"]), source.layout, source.definition, file)
            wrong = [columns[index].lake for index in found["columns"]]
            reason = misfit_reason(source, row, wrong)
            in_key = any(name.lower() in key for name in wrong)
            if in_key or batch.draft.unfit == "fail":
                raise unfit_error(source, row, reason, in_key, is_cut(source, row, wrong))
            # A change in two files of one batch is one row.
            if row.seq is not None and row.seq in seen:
                continue
            if row.seq is not None:
                seen.add(row.seq)
            values = {column.name: value for column, value in zip(columns, row.values)}
            taken.append(UnfitRow(file, row.line, reason, row.op, row.ts, row.seq, values))
    return taken
