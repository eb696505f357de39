"""The names of files in a table's staging folder: ours and every layout DMS writes (as src/core/change-file/name.ts)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?:(?:(SEGMENT\w*)_)?LOAD([0-9A-F]{8})|([0-9]{8}-[0-9]{9,10})|CDC_TXN-([0-9]{17}))\.(csv|parquet)(\.gz)?",
    re.ASCII,
)
# `2021`, `11`, `2022-10-24`, `2024_06_01`, `20240601`: what DatePartitionEnabled puts between the table's folder and the file.
_DATE_FOLDER = re.compile(r"[0-9]{2,10}([-_][0-9]{2,4})*")
_OURS = re.compile(r"[0-9]{8}-[0-9]{9}\.csv")


@dataclass(frozen=True)
class StagedName:
    kind: str
    """`load`: rows of a full load; `changes`: of one table; `transactions`: DMS's changes of all tables in commit order."""
    format: str
    """`csv` or `parquet`."""
    gzip: bool
    rank: str
    """Orders files of one kind: the load's number as 8 hex digits, or the time's digits."""
    segment: str | None = None
    """`SEGMENT1`, or the folder of a parallel load's partition."""

    @property
    def order(self) -> str:
        """The order in which DMS wrote: loads by number, then changes by base name, whatever date folder they lie in."""
        return f"0{self.segment or ''}/{self.rank}" if self.kind == "load" else f"1{self.rank}"


def parse_staged_name(path: str) -> StagedName | None:
    """Reads the part of a key below the table's folder; None for a file that is not a change file."""
    *folders, name = path.split("/")
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    segment, load, time, transactions, file_format, gzip = match.groups()
    is_gzip = gzip is not None
    if load is not None:
        partition = segment if segment is not None else "/".join(folders) if folders else None
        return StagedName("load", file_format, is_gzip, load, partition)
    if transactions is not None:
        is_plain = not folders and file_format == "csv"
        return StagedName("transactions", file_format, is_gzip, transactions) if is_plain else None
    if not all(_DATE_FOLDER.fullmatch(folder) for folder in folders):
        return None
    return StagedName("changes", file_format, is_gzip, time)


def is_our_file_name(name: str) -> bool:
    """A change file's name as our capture gives it."""
    return _OURS.fullmatch(name) is not None
