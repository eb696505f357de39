"""Reads a change file of DMS whole, strictly: how many rows it holds, and how its sequence runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .csv_range import read_header
from .csv_records import read_csv, read_pieces
from .definition import TableDefinition
from .dms_dialect import Dialect
from .dms_layout import dms_layout
from .errors import CdcError
from .header import is_our_header
from .row_errors import shorten
from .rows import rows_of
from .store import Store

_SEQUENCE = re.compile(r"[0-9]{35}")


@dataclass(frozen=True)
class DmsScan:
    """What planning must know of a change file of DMS. It never changes, so it is found out once."""

    size: int
    is_ours: bool = False
    """Our own capture wrote it: it is no business of DMS's table."""
    rows: int = 0
    least: str | None = None
    """The least and greatest `dms_seq`; None where the file has none."""
    greatest: str | None = None
    last: str | None = None
    """That of the last row."""
    repeats: bool = False
    """The sequence does not rise with every row: the file repeats something of itself."""


def scan_dms_file(
    store: Store, key: str, size: int, definitions: Sequence[TableDefinition], dialect: Dialect
) -> DmsScan:
    """Raises `file.*` naming the line, and `definition.unknown`."""
    file = f"{store.location}/{key}"
    first = read_header(store, key)
    scan = DmsScan(size)
    if not first:
        return scan
    if is_our_header(first):
        return replace(scan, is_ours=True)
    layout, definition = dms_layout(first, definitions, dialect, file)
    has_sequence = any(role.kind == "number" for role in layout.fields)
    rows, repeats = 0, False
    least: str | None = None
    greatest: str | None = None
    last: str | None = None
    for row in rows_of(read_csv(read_pieces(store, key), file), layout, definition, file):
        rows += 1
        if not has_sequence:
            continue
        seq = row.seq
        if seq is None or _SEQUENCE.fullmatch(seq) is None:
            raise CdcError(
                "file.number",
                f'reading {file}, line {row.line}: dms_seq of the {row.op or "I"} is "{shorten(seq or "")}", '
                "expected 35 digits",
                "nothing of it was applied; was the task changed by hand? cdc replicate sets it right",
            )
        repeats = repeats or (last is not None and seq <= last)
        least = seq if least is None else min(least, seq)
        greatest = seq if greatest is None else max(greatest, seq)
        last = seq
    return DmsScan(size, False, rows, least, greatest, last, repeats)
