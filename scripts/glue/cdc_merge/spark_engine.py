"""The engine of a merge that has the rows in Spark: what merge_table asks of one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from pyspark.sql import SparkSession

from .apply_batch import Applied, Commit, bytes_of, set_properties
from .batch import PreparedBatch
from .checked_batch import check_batch
from .crash_point import reach
from .create_table import create_lake_table
from .inputs import assert_unchanged
from .lake_log import LakeLog
from .lake_snapshot import LakeSnapshot
from .layout import TableName
from .lease import Lease
from .ledger import Plan
from .merge_table import BatchEffect
from .process_identity import ProcessIdentity, identity_of
from .quarantine import put_quarantine
from .session import size_output
from .spark_error import is_conflict
from .store import Store

T = TypeVar("T")
_STOP_SECONDS = 60.0


class SparkEngine:
    def __init__(self, spark: SparkSession, lake: Store) -> None:
        self._spark = spark
        self._lake = lake
        self._log = LakeLog(spark, lake)
        self._committing: threading.Thread | None = None

    def identity(self) -> ProcessIdentity:
        """Of the process that commits: Spark's JVM, which outlives Python when that is killed."""
        return identity_of(self._spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())

    def snapshot(self, table: TableName) -> LakeSnapshot | None:
        return self._log.read(table)

    def run(self, batch: PreparedBatch, plan: Plan, snapshot: LakeSnapshot | None, lease: Lease) -> BatchEffect | None:
        reach("merge.planned")
        spark, uri, target = self._spark, self._log.uri(batch.table), batch.target
        size_output(spark, (0 if snapshot is None else self._log.size(batch.table)) + bytes_of(batch))
        rows = check_batch(spark, batch)
        try:
            assert_unchanged(batch.inputs)
            put_quarantine(self._lake, plan, rows.unfit)
            lease.assert_held()
            if snapshot is None:
                if not create_lake_table(self._lake, batch.table, target.columns, target.properties):
                    return None
            elif target.properties:
                set_properties(spark, uri, target.properties)
            reach("merge.written")
            applied = self._commit(Commit(spark, uri, batch, plan, rows, snapshot).run)
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

    def stop_work(self) -> None:
        """Ends what could still commit, and returns once that is certain."""
        self._spark.sparkContext.cancelAllJobs()
        thread = self._committing
        if thread is not None:
            thread.join(_STOP_SECONDS)
            if thread.is_alive():
                raise TimeoutError("Spark does not stop the statement that commits")

    def _commit(self, statement: Callable[[], Applied | None]) -> Applied | None:
        """In a thread of its own: when a signal ends the wait for it, it is still known whether the statement has ended."""
        done: list[Applied | None] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                done.append(statement())
            except BaseException as error:
                failed.append(error)

        self._committing = threading.Thread(target=work, name="commit", daemon=True)
        self._committing.start()
        self._committing.join()
        self._committing = None
        if failed:
            if is_conflict(failed[0]):
                return None
            raise failed[0]
        return done[0]
