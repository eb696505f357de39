"""Which numbers a change file of ours holds, from its first record and its last bytes: range reads, never the whole file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .change_number import parse_change_number
from .csv_records import CsvRecord, cut_file, read_csv, read_pieces
from .errors import CdcError
from .header import is_our_header
from .inputs import input_changed
from .row_errors import shorten, wrong_width
from .store import Store

# A `,`, the 35 digits of cdc_seq and the newline: how every row of ours ends.
_TAIL_BYTES = 37
_TAIL = re.compile(rb",([0-9]{35})\n")
_NUMBER = re.compile(r"[0-9]{35}")
_HEAD_BYTES = 1 << 13


@dataclass(frozen=True)
class NumberRange:
    """Both None when the file holds no change."""

    size: int
    first: int | None
    last: int | None


def read_number_range(store: Store, key: str, known_size: int | None = None) -> NumberRange:
    """Raises `file.cut` when the file does not end as a row of ours does, `file.header` when it is not ours, and
    `input.changed` when it has shrunk since it was listed."""
    file = f"{store.location}/{key}"
    size = known_size
    if size is None:
        found = store.stat(key)
        if found is None:
            raise CdcError("store.not-found", f"reading {file}: it is not there")
        size = found.size
    head, first = _read_first(store, key, file, size)
    if first is None:
        return NumberRange(size, None, None)
    tail = head[-_TAIL_BYTES:] if len(head) >= size else store.get_range(key, size - _TAIL_BYTES, size)
    if len(head) < size and len(tail) < _TAIL_BYTES:
        found = store.stat(key)
        raise _shrunk(file, size, 0 if found is None else found.size)
    last = _TAIL.fullmatch(tail)
    if last is None:
        raise _find_cut(store, key, file)
    if _NUMBER.fullmatch(first.fields[-1]) is None:
        raise wrong_number(file, first.line, first.fields[-1])
    return NumberRange(size, parse_change_number(first.fields[-1]), parse_change_number(last[1].decode()))


def _read_first(store: Store, key: str, file: str, size: int) -> tuple[bytes, CsvRecord | None]:
    """The head of the file that was read, and the first record after the header."""
    length = _HEAD_BYTES
    while True:
        wanted = min(length, size)
        head = store.get_range(key, 0, wanted)
        # Cut since it was listed: what is not there any more would be waited for without end, or not be missed.
        if len(head) < wanted:
            raise _shrunk(file, size, len(head))
        is_whole = wanted == size
        records = read_csv([head], file)
        header = _next_record(records, is_whole)
        if header is not None or is_whole:
            if header is None or not is_our_header(header.fields):
                raise CdcError(
                    "file.header",
                    f"reading {file}, line 1: it does not begin with the header Op,cdc_ts,…,cdc_seq",
                    f"apply a file made elsewhere with: cdc merge {file} --table … --key … --columns …",
                )
            first = _next_record(records, is_whole)
            if first is not None and len(first.fields) != len(header.fields):
                raise wrong_width(file, first.line, len(first.fields), len(header.fields))
            if first is not None or is_whole:
                return head, first
        length *= 8


def _shrunk(file: str, size: int, left: int) -> CdcError:
    return input_changed(file, f"it had {size} bytes when it was listed, and {left} are left of it")


def read_header(store: Store, key: str) -> tuple[str, ...]:
    """The first record of a file: the header of one of ours."""
    length = _HEAD_BYTES
    while True:
        head = store.get_range(key, 0, length)
        is_whole = len(head) < length
        record = _next_record(read_csv([head], f"{store.location}/{key}"), is_whole)
        if record is not None or is_whole:
            return () if record is None else record.fields
        length *= 8


def _next_record(records: Iterator[CsvRecord], whole: bool) -> CsvRecord | None:
    """None at the end, and also where the bytes end inside it and are known not to be the whole file."""
    try:
        return next(records, None)
    except CdcError as error:
        if not whole and error.code == "file.cut":
            return None
        raise


def _find_cut(store: Store, key: str, file: str) -> CdcError:
    """Reads the whole file to say on which line it is broken."""
    line, width = 1, None
    try:
        for record in read_csv(read_pieces(store, key), file):
            line = record.line
            if width is not None:
                if len(record.fields) != width:
                    return wrong_width(file, line, len(record.fields), width)
                if _NUMBER.fullmatch(record.fields[-1]) is None:
                    return wrong_number(file, line, record.fields[-1])
            width = len(record.fields)
    except CdcError as error:
        return error
    return cut_file(file, line)


def wrong_number(file: str, line: int, text: str) -> CdcError:
    return CdcError("file.number", f'reading {file}, line {line}: cdc_seq is "{shorten(text)}", expected 35 digits')
