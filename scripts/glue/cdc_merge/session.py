"""The Spark session of a run: what must be set before it begins, and what every statement of ours relies on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

_TXN_APP, _TXN_VERSION = "spark.databricks.delta.write.txnAppId", "spark.databricks.delta.write.txnVersion"
_EVOLVE = "spark.databricks.delta.schema.autoMerge.enabled"

# Cannot be changed once there is a session. Whoever starts Spark with settings of his own keeps those.
_STATIC = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.caseSensitive": "false",
    # Else timestamps are INT96, and compression is snappy.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    # Dates before 1582 and timestamps before 1900 as they are, in every reader.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    # With pruning a row of another width would not be noticed.
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    # A file that cannot be read is no empty one, whatever whoever starts Spark says.
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
    # Fifty tasks to read the log of a small table otherwise.
    "spark.databricks.delta.snapshotPartitions": "2",
    # A merge makes files as large as the table's size says, not one for each core.
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.sql.adaptive.advisoryPartitionSizeInBytes": "64m",
}
_FILE_BYTES = 96 * 1024 * 1024


def open_session(name: str) -> SparkSession:
    """The session of this process: Glue's or spark-submit's settings with ours."""
    SparkContext._ensure_initialized()
    given = SparkConf()
    builder = SparkSession.builder.appName(name)
    for key, value in {**_STATIC, **_s3_settings(os.environ)}.items():
        if not given.contains(key):
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    if hadoop.get("fs.s3.impl") is None:
        # Glue and EMR bring their own; elsewhere s3:// is what Hadoop calls s3a://.
        hadoop.set("fs.s3.impl", "org.apache.hadoop.fs.s3a.S3AFileSystem")
    configure(spark)
    return spark


def configure(spark: SparkSession) -> None:
    for key, value in _SETTINGS.items():
        spark.conf.set(key, value)


def _s3_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """What AWS's own tools take from the environment, for Hadoop's S3A, which does not look there."""
    settings: dict[str, str] = {}
    endpoint = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
    region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
    if endpoint:
        settings["spark.hadoop.fs.s3a.endpoint"] = endpoint
        settings["spark.hadoop.fs.s3a.path.style.access"] = "true"
        settings["spark.hadoop.fs.s3a.connection.ssl.enabled"] = str(urlsplit(endpoint).scheme == "https").lower()
        if region:
            settings["spark.hadoop.fs.s3a.endpoint.region"] = region
    return settings


@contextmanager
def ledger_entry(spark: SparkSession, app_id: str, seq: int, evolve: bool) -> Iterator[None]:
    """For one data statement: it writes `txn{app_id, seq}` into its commit, and does nothing where the log has it already.

    The settings stay with the session and would silently skip every later statement, so they go whatever happens.
    `evolve`: columns that the rows have and the table has not are added to it by the same commit.
    """
    spark.conf.set(_TXN_APP, app_id)
    spark.conf.set(_TXN_VERSION, str(seq))
    if evolve:
        spark.conf.set(_EVOLVE, "true")
    try:
        yield
    finally:
        for key in (_TXN_APP, _TXN_VERSION, _EVOLVE):
            spark.conf.unset(key)


def size_output(spark: SparkSession, table_bytes: int) -> None:
    """Shuffles into as many parts as the table has files of a good size; one for a small one, else each merge leaves many."""
    spark.conf.set("spark.sql.shuffle.partitions", str(files_for(table_bytes)))


def files_for(size: int) -> int:
    """How many data files of a good size so many bytes make; of CSV they become smaller."""
    return max(1, -(-size // _FILE_BYTES))
