"""What the planner asks of whoever has the rows: how a table stands, what change files of DMS hold, and a batch's commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .batch import PreparedBatch
from .dms_scan import DmsScan, DmsSource
from .lake_snapshot import LakeSnapshot
from .layout import TableName
from .lease import Lease
from .ledger import Plan


@dataclass(frozen=True)
class BatchEffect:
    changes: int
    inserted: int
    updated: int
    deleted: int
    quarantined: int
    bytes_written: int = 0


class BatchEngine(Protocol):
    def snapshot(self, table: TableName) -> LakeSnapshot | None:
        """The lake table as it is now; None where there is no table."""

    def scan(self, files: Sequence[DmsSource]) -> list[DmsScan]:
        """Of each file, in their order. Raises `file.*`, naming the line."""

    def run(self, batch: PreparedBatch, plan: Plan, snapshot: LakeSnapshot | None, lease: Lease) -> BatchEffect | None:
        """Applies the batch in one commit with txn {plan.app_id, plan.seq}. Right before it: assert_unchanged(batch.inputs),
        put_quarantine, lease.assert_held(). None: someone else made that version first; it is planned again."""
