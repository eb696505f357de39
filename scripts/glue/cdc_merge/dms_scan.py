"""What planning must know of a change file of DMS: how many rows it holds, and how its sequence runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .csv_range import read_header
from .csv_records import read_csv, read_pieces
from .definition import TableDefinition
from .dms_dialect import Dialect
from .dms_layout import dms_layout
from .errors import CdcError
from .header import FileLayout, is_our_header
from .inputs import input_changed
from .row_errors import shorten
from .rows import rows_of
from .side_by_side import side_by_side
from .store import Store, StoredObject

_SEQUENCE = re.compile(r"[0-9]{35}")


@dataclass(frozen=True)
class DmsScan:
    """It never changes, so it is found out once."""

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


@dataclass(frozen=True)
class DmsSource:
    """A change file of DMS by its first line."""

    store: Store
    key: str
    size: int
    layout: FileLayout
    definition: TableDefinition

    @property
    def label(self) -> str:
        """For messages: where it lies."""
        return f"{self.store.location}/{self.key}"

    @property
    def uri(self) -> str:
        return self.store.uri(self.key)

    @property
    def has_sequence(self) -> bool:
        return any(role.kind == "number" for role in self.layout.fields)


ScanRows = Callable[[Sequence[DmsSource]], "list[DmsScan]"]
"""An engine's: of each file, in their order. Raises `file.*`, naming the line."""


def scan_dms_files(
    staging: Store,
    files: Sequence[StoredObject],
    definitions: Sequence[TableDefinition],
    dialect: Dialect,
    scan_rows: ScanRows,
) -> dict[str, DmsScan]:
    """By key. Of each file only the first line is read here. Raises what dms_layout and `scan_rows` do."""
    opened = side_by_side(lambda one: _open(staging, one, definitions, dialect), files)
    sources = [one for one in opened if isinstance(one, DmsSource)]
    scans = dict(zip((one.key for one in sources), scan_rows(sources) if sources else []))
    return {file.key: one if isinstance(one, DmsScan) else scans[one.key] for file, one in zip(files, opened)}


def _open(
    store: Store, found: StoredObject, definitions: Sequence[TableDefinition], dialect: Dialect
) -> DmsSource | DmsScan:
    """A scan where the first line says all."""
    first = read_header(store, found.key)
    if not first or is_our_header(first):
        return DmsScan(found.size, is_ours=bool(first))
    layout, definition = dms_layout(first, definitions, dialect, f"{store.location}/{found.key}")
    source = DmsSource(store, found.key, found.size, layout, definition)
    # Engines take what is left of a cut row for a whole one; strictly it says on which line.
    return source if ends_with_a_row(store, found.key, found.size) else scan_strictly(source)


def ends_with_a_row(store: Store, key: str, size: int) -> bool:
    """Raises `input.changed` where the file has more than the bytes it was listed with."""
    start = max(0, size - 1)
    end = store.get_range(key, start, size + 1)
    if len(end) > size - start:
        raise input_changed(f"{store.location}/{key}", f"it had {size} bytes when it was listed, and has more now")
    return end == b"\n"


def scan_strictly(source: DmsSource) -> DmsScan:
    """Row by row: for a file in which an engine has found something strange. Raises `file.*`, naming the line."""
    scan = DmsScan(source.size)
    for row in rows_of(
        read_csv(read_pieces(source.store, source.key), source.label), source.layout, source.definition, source.label
    ):
        scan = replace(scan, rows=scan.rows + 1)
        if not source.has_sequence:
            continue
        seq = row.seq
        if seq is None or _SEQUENCE.fullmatch(seq) is None:
            raise CdcError(
                "file.number",
                f'reading {source.label}, line {row.line}: dms_seq of the {row.op or "I"} is "{shorten(seq or "")}", '
                "expected 35 digits",
                "nothing of it was applied; was the task changed by hand? cdc replicate sets it right",
            )
        scan = replace(
            scan,
            least=seq if scan.least is None else min(scan.least, seq),
            greatest=seq if scan.greatest is None else max(scan.greatest, seq),
            last=seq,
            repeats=scan.repeats or (scan.last is not None and seq <= scan.last),
        )
    return scan
