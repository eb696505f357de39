"""Consecutive numbers through a table's change files, whatever the files are called and however they overlap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .definition import TableDefinition
from .load_record import LoadRecord


@dataclass(frozen=True)
class RangedFile:
    """A change file of ours and the numbers it holds."""

    key: str
    size: int
    first: int
    last: int
    modified: datetime


@dataclass(frozen=True)
class Staged:
    """Everything of one table in staging."""

    records: list[LoadRecord]
    definitions: list[TableDefinition]
    """By number."""
    files: list[RangedFile]
    others: list[str]
    """Keys of other files in the table's folder: load files, and what is not ours."""


@dataclass(frozen=True)
class Chain:
    after: int
    end: int
    """The last number without a gap."""
    files: list[RangedFile]
    rest: list[RangedFile]
    """Files behind a gap or a limit."""
    missing: int | None
    """The number that is missing; None when the chain ended at the limit or with the files."""
    taken: frozenset[int]
    """Numbers that no file holds: a truncation or a change of definition took them."""


def follow_chain(staged: Staged, after: int, limit: int | None) -> Chain:
    """As far as no number is missing, and not above the limit."""
    taken = {one.number for one in staged.definitions if one.number > after}
    taken |= {one.number for one in staged.records if one.kind == "truncate" and one.number > after}
    ordered = sorted((one for one in staged.files if one.last > after), key=lambda one: (one.first, one.last))

    def passed(number: int) -> int:
        while number in taken and (limit is None or number <= limit):
            number += 1
        return number

    upcoming = passed(after + 1)
    files: list[RangedFile] = []
    missing: int | None = None
    for file in ordered:
        if limit is not None and upcoming > limit:
            break
        if file.first > upcoming:
            missing = upcoming
            break
        # A file that only repeats others is read too: what it repeats must be the same.
        files.append(file)
        upcoming = passed(max(upcoming, file.last + 1))
    end = limit if limit is not None and upcoming - 1 > limit else upcoming - 1
    return Chain(after, end, files, ordered[len(files) :], missing, frozenset(taken))
