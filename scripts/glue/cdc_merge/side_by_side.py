"""Small reads of many files at a time: on S3 each costs a round trip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
_READERS = 32


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The results in the order of the items; what fails first in that order is raised."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(_READERS, len(items))) as readers:
        return list(readers.map(work, items))
