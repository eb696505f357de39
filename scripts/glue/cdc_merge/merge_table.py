"""Merges everything of one table that is pending, batch by batch; the engine does what needs rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from .batch_engine import BatchEffect, BatchEngine
from .errors import CdcError
from .lake_snapshot import LakeSnapshot
from .layout import TableName
from .lease import Lease
from .look import LookOptions, NextLook, TableLook, look_at_table

GAP_WAIT_SECONDS = 300.0


@dataclass(frozen=True)
class MergeOptions(LookOptions):
    gap_wait_seconds: float = GAP_WAIT_SECONDS
    """After this long a gap in the numbers is an error."""
    log: Callable[[str], None] = lambda _line: None


_COUNTS = ("changes", "inserted", "updated", "deleted", "quarantined", "bytes_written")
"""What a batch's effect adds to its table's report."""


@dataclass
class TableReport:
    """As `merge --json` of the TypeScript engine has it."""

    table: TableName
    files: int = 0
    changes: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    quarantined: int = 0
    version: int = -1
    """The lake table's version now; -1 where there is no table yet."""
    seconds: float = 0.0
    bytes_written: int = 0
    batches: int = 0
    watermark: int | None = None
    waits: str | None = None
    """Why something that is there is not merged yet: `loading`, `gap` or `replaying`."""
    waiting: str | None = None
    """The same as a sentence."""

    def add(self, files: int, effect: BatchEffect) -> None:
        self.batches += 1
        self.files += files
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(effect, name))

    def after(self, earlier: TableReport) -> TableReport:
        """One report of this look and an earlier one of the same run."""
        for name in (*_COUNTS, "files", "batches", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(earlier, name))
        return self

    def to_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"schema": self.table.schema, "table": self.table.table}
        for name in ("files", "changes", "inserted", "updated", "deleted", "quarantined", "version", "seconds"):
            fields[name] = getattr(self, name)
        if self.batches == 0:
            fields["already"] = True
        if self.waits is not None:
            fields |= {"waits": self.waits, "waiting": self.waiting}
        return fields


def merge_table(
    options: MergeOptions,
    table: TableName,
    engine: BatchEngine,
    lease_of: Callable[[], AbstractContextManager[Lease]],
    report: TableReport | None = None,
) -> TableReport:
    """Until nothing is left of what was there when it began: what arrives faster than it is merged would hold up every other
    table for ever. `lease_of`: takes the table's lease (merge_lease_of). `report`: filled as batches are committed, so that it
    is also known what was when a later one fails. Raises `merge.gap` when a number has been missing for too long;
    what comes before it is merged."""
    started = time.monotonic()
    report = TableReport(table) if report is None else report
    look = look_at_table(options, table, engine.snapshot(table), engine.scan)
    # Without anything to do no lease is taken: a table is looked at far more often than it changes.
    if look.next is not None:
        with lease_of() as lease:
            limit: int | None = None
            while True:
                snapshot = engine.snapshot(table)
                # Also when what is next cannot be read: so far it has come.
                report.version = _version(snapshot)
                look = look_at_table(options, table, snapshot, engine.scan, limit)
                limit = look.newest if limit is None else limit
                if look.next is None:
                    break
                _merge_once(options, engine, lease, look, look.next, report)
    report.version = _version(look.snapshot)
    report.watermark = None if look.state is None else look.state.watermark_after
    report.seconds = round(time.monotonic() - started, 3)
    waiting = look.waiting
    if waiting is not None:
        waited = (options.lake.now() - waiting.since).total_seconds()
        if waiting.reason == "gap" and waited > options.gap_wait_seconds:
            hint = f"bring the missing file back and it goes on by itself, or load the table again: cdc reload {table}"
            raise CdcError("merge.gap", f"merging {waiting.detail}", hint)
        report.waits, report.waiting = waiting.reason, waiting.detail
    return report


def _version(snapshot: LakeSnapshot | None) -> int:
    return -1 if snapshot is None else snapshot.version


def _merge_once(
    options: MergeOptions, engine: BatchEngine, lease: Lease, look: TableLook, upcoming: NextLook, report: TableReport
) -> None:
    prepared = upcoming.prepare()
    files = len(prepared.inputs)
    plan = prepared.put_plan(options.lake)
    what = f"{upcoming.describe}, " if upcoming.describe else ""
    options.log(f"merging {report.table}: batch {plan.seq}: {what}from {files} file{'' if files == 1 else 's'}")
    effect = engine.run(prepared, plan, look.snapshot, lease)
    if effect is None:
        # Someone else commits to this table too; let it finish.
        time.sleep(0.05)
    else:
        report.add(files, effect)
