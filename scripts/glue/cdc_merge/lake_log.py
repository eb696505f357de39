"""The lake table as its Delta log has it now."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyspark.sql import SparkSession

from .lake_snapshot import LakeSnapshot


@dataclass(frozen=True)
class LakeState:
    snapshot: LakeSnapshot
    size: int
    """Bytes of its data files."""


def read_lake(spark: SparkSession, uri: str) -> LakeState | None:
    """None where there is no table."""
    jvm = spark.sparkContext._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog
    # Spark keeps the last state it has seen of a table; other writers commit too.
    log.clearCache()
    snapshot = log.forTable(spark._jsparkSession, uri).unsafeVolatileSnapshot()
    if snapshot.version() < 0:
        return None
    meta = json.loads(snapshot.metadata().json())["metaData"]
    txns = jvm.scala.collection.JavaConverters.mapAsJavaMap(snapshot.transactions())
    return LakeState(
        LakeSnapshot(snapshot.version(), meta["schemaString"], meta["configuration"], dict(txns)),
        snapshot.sizeInBytes(),
    )
