"""RFC 4180 as change files use it: bytes in, records with their line numbers out; anything broken is refused, never repaired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .errors import CdcError
from .store import Store

PIECE_BYTES = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTE, _LF, _CR, _COMMA = 0x22, 0x0A, 0x0D, 0x2C
# What can end or break a field that is not quoted.
_BARE_END = re.compile(rb'[,\n\r"]')


@dataclass(frozen=True)
class CsvRecord:
    fields: tuple[str, ...]
    line: int
    """The line its first byte stands on, from 1."""


def read_csv(pieces: Iterable[bytes], file: str) -> Iterator[CsvRecord]:
    """Records of a file's bytes, in order; `file` names it in errors. Memory holds one piece and one record."""
    reader = _Reader(file)
    for piece in pieces:
        yield from reader.push(piece)
    yield from reader.end()


def read_pieces(store: Store, key: str) -> Iterator[bytes]:
    """A file of a store, piece by piece."""
    start = 0
    while piece := store.get_range(key, start, start + PIECE_BYTES):
        yield piece
        if len(piece) < PIECE_BYTES:
            return
        start += PIECE_BYTES


def cut_file(file: str, line: int) -> CdcError:
    """The error for a file whose last row has no end."""
    return CdcError(
        "file.cut",
        f"reading {file}, line {line}: the file ends inside a row",
        "copy the file again; if its last row is whole, end it with a newline",
    )


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._held = bytearray()
        # An unfinished record is looked at again only when this much has come: a huge one is not scanned once per piece.
        self._look_at = len(_BYTE_ORDER_MARK)
        self._line = 1
        self._first = True

    def push(self, piece: bytes) -> Iterator[CsvRecord]:
        self._held += piece
        if len(self._held) >= self._look_at:
            yield from self._take()

    def end(self) -> Iterator[CsvRecord]:
        """Every record ends with a newline, the last one too: without it nobody can tell a whole last value from a cut one."""
        yield from self._take()
        if self._held:
            raise cut_file(self._file, self._line)

    def _take(self) -> Iterator[CsvRecord]:
        data = bytes(self._held)
        if self._first and len(data) >= len(_BYTE_ORDER_MARK):
            data = data.removeprefix(_BYTE_ORDER_MARK)
            self._first = False
        start = 0
        while (end := self._end_of_record(data, start)) is not None:
            yield self._record(data[start:end])
            start = end + 1
        self._held = bytearray(data[start:])
        self._look_at = max(len(self._held) * 2, len(_BYTE_ORDER_MARK))

    def _end_of_record(self, data: bytes, start: int) -> int | None:
        """The index of the newline that ends the record starting at `start`; None when it is not there yet."""
        at = start
        while at < len(data):
            if data[at] == _QUOTE:
                at = _end_of_quotes(data, at + 1)
                if at >= len(data):
                    return None
                if data[at] == _LF:
                    return at
                if data[at] != _COMMA:
                    raise self._broken(data[start:at], "text follows a closing quote", "file.quote")
                at += 1
                continue
            found = _BARE_END.search(data, at)
            if found is None:
                return None
            at = found.start()
            if data[at] == _LF:
                return at
            if data[at] == _QUOTE:
                raise self._broken(data[start:at], "a quote stands inside a field that is not quoted", "file.quote")
            if data[at] == _CR:
                raise self._broken(data[start:at], "a carriage return stands outside quotes", "file.newline")
            at += 1
        return None

    def _record(self, data: bytes) -> CsvRecord:
        line = self._line
        try:
            data.decode()
        except UnicodeDecodeError:
            raise CdcError(
                "file.encoding",
                f"reading {self._file}, line {line}: the row is not UTF-8",
                "convert the file to UTF-8, for example with iconv",
            ) from None
        self._line += 1 + data.count(b"\n")
        return CsvRecord(tuple(_fields(data)), line)

    def _broken(self, before: bytes, why: str, code: str) -> CdcError:
        hint = (
            f"rows end with a line feed alone: sed -i 's/\\r$//' {self._file}"
            if code == "file.newline"
            else "fields follow RFC 4180: quote a field that holds a quote, comma or line break, and double its quotes"
        )
        return CdcError(code, f"reading {self._file}, line {self._line + before.count(10)}: {why}", hint)


def _end_of_quotes(data: bytes, start: int) -> int:
    """The index after the closing quote; the length or more when it is not there yet."""
    at = data.find(b'"', start)
    while 0 <= at and data[at + 1 : at + 2] == b'"':
        at = data.find(b'"', at + 2)
    return len(data) if at < 0 else at + 1


def _fields(data: bytes) -> Iterator[str]:
    start = 0
    while start <= len(data):
        if data[start : start + 1] == b'"':
            end = _end_of_quotes(data, start + 1)
            yield data[start + 1 : end - 1].decode().replace('""', '"')
        else:
            comma = data.find(b",", start)
            end = len(data) if comma < 0 else comma
            yield data[start:end].decode()
        start = end + 1
