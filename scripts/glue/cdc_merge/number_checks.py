"""The chain of numbers inside a batch, as the engine finds it: each once, a repetition the same, none missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .change_number import format_change_number, number_in_run
from .errors import CdcError


def conflict(number: int, labels: Sequence[str]) -> CdcError:
    """A number with two contents; `labels`: the files it is in, as messages name them, in their order."""
    return CdcError(
        "change.conflict",
        f"reading changes: number {number_in_run(number)} has two contents, in {' and '.join(labels)}",
        "two captures have written this table; stop one of them, then load the table again: cdc reload",
    )


def first_missing(jumps: Iterable[tuple[int, int]], taken: frozenset[int]) -> tuple[int, int, int] | None:
    """Of pairs (number, the one before it) that do not follow one another, with `after` before the first and `end + 1` as
    the last number: the first number that is missing and was not taken, with the pair it is missing in."""
    for number, previous in sorted(jumps):
        for between in range(previous + 1, number):
            if between not in taken:
                return between, previous, number
    return None


def missing(number: int, labels: Sequence[str]) -> CdcError:
    """`labels`: the files that hold the numbers beside it."""
    return CdcError(
        "change.missing",
        f"reading {' and '.join(labels)}: change {number_in_run(number)} ({format_change_number(number)}) "
        "is missing inside",
        "the file is damaged: bring it back from a copy, or load the table again: cdc reload",
    )
