"""The lake table as its Delta log has it now: read from the log's own files, or by Delta where those are not of the plain kind.

Delta takes a Spark job to say how a table stands, and another one after each commit: some twenty seconds of a run on a laptop,
most of it for nothing, for a merge looks at the table three times and asks for the little that these files say themselves.
"""

from __future__ import annotations

import json

from pyspark.sql import SparkSession

from .lake_snapshot import LakeSnapshot
from .layout import TableName, table_folder
from .log_files import KnownLog, NotPlain, read_plain_log
from .store import Store


class LakeLog:
    """The logs of a run's tables; what never changes of them is read once."""

    def __init__(self, spark: SparkSession, lake: Store) -> None:
        self._spark = spark
        self._lake = lake
        self._known = KnownLog()

    def read(self, table: TableName) -> LakeSnapshot | None:
        """None where there is no table."""
        try:
            return read_plain_log(self._lake, f"{table_folder(table)}_delta_log/", self._known, self._spark)
        except NotPlain:
            return self.ask_delta(table)

    def size(self, table: TableName) -> int:
        """Bytes of its data files. What Delta finds out for this, the commit needs too."""
        return self._delta_snapshot(table).sizeInBytes()

    def uri(self, table: TableName) -> str:
        return self._lake.uri(table_folder(table).rstrip("/"))

    def ask_delta(self, table: TableName) -> LakeSnapshot | None:
        """The same for any table that Delta can read; it takes a Spark job."""
        snapshot = self._delta_snapshot(table)
        if snapshot.version() < 0:
            return None
        meta = json.loads(snapshot.metadata().json())["metaData"]
        jvm = self._spark.sparkContext._jvm
        txns = jvm.scala.collection.JavaConverters.mapAsJavaMap(snapshot.transactions())
        return LakeSnapshot(snapshot.version(), meta["schemaString"], meta["configuration"], dict(txns))

    def _delta_snapshot(self, table: TableName):  # type: ignore[no-untyped-def]
        """Delta's own, after a new listing: other writers commit too."""
        log = self._spark.sparkContext._jvm.org.apache.spark.sql.delta.DeltaLog
        return log.forTableWithSnapshot(self._spark._jsparkSession, self.uri(table))._2()
