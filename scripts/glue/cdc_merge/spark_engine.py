"""The engine of a merge that has the rows in Spark: what merge_table asks of one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyspark.sql import SparkSession

from .apply_batch import Applied, Commit, bytes_of, set_properties
from .batch import PreparedBatch
from .batch_engine import BatchEffect
from .checked_batch import CheckedBatch, check_batch
from .crash_point import reach
from .create_table import create_lake_table
from .dms_scan import DmsScan, DmsSource
from .dms_scan_spark import scan_in_spark
from .errors import Interrupted
from .inputs import assert_unchanged
from .lake_log import LakeLog
from .lake_snapshot import LakeSnapshot
from .layout import TableName
from .lease import Lease
from .ledger import Plan
from .process_identity import ProcessIdentity, identity_of
from .quarantine import put_quarantine
from .session import size_output
from .spark_error import is_conflict
from .store import Store

T = TypeVar("T")
_STOP_SECONDS = 60.0
_AGAIN_SECONDS = 0.2


class SparkEngine:
    def __init__(self, spark: SparkSession, lake: Store) -> None:
        self._spark = spark
        self._lake = lake
        self._log = LakeLog(spark, lake)
        self._lock = threading.Lock()
        self._stopping = False
        self._ended: threading.Event | None = None
        """Of the work that is under way, or was last."""

    def identity(self) -> ProcessIdentity:
        """Of the process that commits: Spark's JVM, which outlives Python when that is killed."""
        return identity_of(self._spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())

    def snapshot(self, table: TableName) -> LakeSnapshot | None:
        return self._log.read(table)

    def scan(self, files: Sequence[DmsSource]) -> list[DmsScan]:
        return self._aside(lambda: scan_in_spark(self._spark, files))

    def run(self, batch: PreparedBatch, plan: Plan, snapshot: LakeSnapshot | None, lease: Lease) -> BatchEffect | None:
        return self._aside(lambda: self._apply(batch, plan, snapshot, lease))

    def _aside(self, task: Callable[[], T]) -> T:
        """In a thread of its own: when a signal ends the wait for it, it is still known whether what commits has ended. By an
        event, for of a thread whose join() was interrupted Python before 3.13 says that it has ended."""
        done: list[T] = []
        failed: list[BaseException] = []
        ended = threading.Event()

        def work() -> None:
            try:
                with self._lock:
                    self._go_on()
                    self._ended = ended
                done.append(task())
            except BaseException as error:
                failed.append(error)
            finally:
                ended.set()

        threading.Thread(target=work, name="work", daemon=True).start()
        ended.wait()
        if failed:
            raise failed[0]
        return done[0]

    def stop_work(self) -> None:
        """Ends what could still commit, and returns once that is certain."""
        with self._lock:
            # Work that is only just starting sees it, and does nothing.
            self._stopping = True
            ended = self._ended
        if ended is None:
            return

        def cancel() -> None:
            # Again and again: between two of its jobs there is nothing to cancel.
            while not ended.is_set():
                self._spark.sparkContext.cancelAllJobs()
                ended.wait(_AGAIN_SECONDS)

        # Not by the main thread: its connection to the JVM may still wait for the answer that was interrupted.
        threading.Thread(target=cancel, name="cancel", daemon=True).start()
        if not ended.wait(_STOP_SECONDS):
            raise TimeoutError("Spark does not stop the statement that commits")

    def _go_on(self) -> None:
        if self._stopping:
            raise Interrupted("the run is being ended")

    def _apply(
        self, batch: PreparedBatch, plan: Plan, snapshot: LakeSnapshot | None, lease: Lease
    ) -> BatchEffect | None:
        reach("merge.planned")
        size_output(self._spark, (0 if snapshot is None else self._log.size(batch.table)) + bytes_of(batch))
        rows = check_batch(self._spark, batch)
        try:
            assert_unchanged(batch.inputs)
            put_quarantine(self._lake, plan, rows.unfit)
            lease.assert_held()
            applied = self._commit(batch, plan, snapshot, rows)
            if applied is None:
                return None
            reach("merge.committed")
            return BatchEffect(
                changes=rows.change_count,
                inserted=applied.inserted,
                updated=applied.updated,
                deleted=applied.deleted,
                quarantined=len(rows.unfit),
            )
        finally:
            rows.release()

    def _commit(
        self, batch: PreparedBatch, plan: Plan, snapshot: LakeSnapshot | None, rows: CheckedBatch
    ) -> Applied | None:
        """Everything that writes to the table's log. None: someone else was faster."""
        uri, target = self._log.uri(batch.table), batch.target
        try:
            self._go_on()
            if snapshot is None:
                if not create_lake_table(self._lake, batch.table, target.columns, target.properties):
                    return None
            elif target.properties:
                set_properties(self._spark, uri, target.properties)
            reach("merge.written")
            self._go_on()
            return Commit(self._spark, uri, batch, plan, rows, snapshot).run()
        except Exception as error:
            if is_conflict(error):
                return None
            raise
