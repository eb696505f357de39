"""What of a change file of DMS was there before, by its sequence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .dms_staged import DmsFile


def is_above(file: DmsFile, sequence: str | None) -> bool:
    """All of it lies above `sequence`."""
    least = None if file.scan is None else file.scan.least
    return least is not None and (sequence is None or least > sequence)


def repeats(file: DmsFile, reached: str | None) -> bool:
    """Something of it was there before: up to `reached`, or within the file."""
    scan = file.scan
    if scan is None or scan.least is None:
        return False
    return scan.repeats or (reached is not None and scan.least <= reached)


def some_repeats(files: Sequence[DmsFile], reached: str | None) -> bool:
    """One after another: a file and its repetition may both be new."""
    for file in files:
        if repeats(file, reached):
            return True
        reached = greatest([reached, None if file.scan is None else file.scan.greatest])
    return False


def greatest(texts: Iterable[str | None]) -> str | None:
    """The one that sorts last."""
    return max((text for text in texts if text is not None), default=None)
