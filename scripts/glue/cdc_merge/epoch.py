"""A load, truncation or start, as a table's epochs are ordered, and where a table stands after a batch."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import TableDefinition


@dataclass(frozen=True)
class Epoch:
    kind: str
    """`load`, `truncate` or `start`."""
    number: int
    suffix: int
    """1, or more for a later record at the same number."""

    @property
    def rank(self) -> tuple[int, int]:
        return (self.number, self.suffix)


@dataclass(frozen=True)
class Standing:
    """Where the lake table stands."""

    watermark: int
    """Every change up to it is in the lake."""
    epoch: Epoch | None
    definition: TableDefinition
