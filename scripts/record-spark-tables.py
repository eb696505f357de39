"""Makes the tables of test/fixtures/delta/spark-3.5.6-delta-3.3.2 again.

usage: python scripts/record-spark-tables.py FOLDER JARS

Needs `pip install pyspark==3.5.6 delta-spark==3.3.2`, Java 17, and a folder with the jars delta-spark_2.12-3.3.2,
delta-storage-3.3.2 and antlr4-runtime-4.9.3. Of the tables that are only refused the log alone is kept.
"""

import pathlib
import sys

from pyspark.sql import SparkSession

folder, jars = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", ",".join(str(jar) for jar in jars.glob("*.jar")))
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.databricks.delta.snapshotPartitions", "2")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.compression.codec", "zstd")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)


def table(name):
    return f"delta.`{folder}/{name}`"


def create(name, columns, rest=""):
    spark.sql(f"CREATE TABLE {table(name)} ({columns}) USING delta {rest}")


# Read and written on: a checkpoint at version 10, INT96 timestamps, a MERGE with the ledger, a DELETE.
create("plain", "id BIGINT, name STRING, price DECIMAL(12,2), at TIMESTAMP")
for i in range(1, 11):
    spark.sql(
        f"INSERT INTO {table('plain')} SELECT {i}, 'row {i}', {i}.25, "
        f"TIMESTAMP'2024-01-01 00:00:00.000001' + INTERVAL {i} DAYS"
    )
spark.conf.set("spark.databricks.delta.write.txnAppId", "cdc/test")
spark.conf.set("spark.databricks.delta.write.txnVersion", "4611686018427387905")
spark.sql(
    f"MERGE INTO {table('plain')} t USING (SELECT 3 id, 'merged' name UNION ALL SELECT 99, 'new') c ON t.id = c.id "
    "WHEN MATCHED THEN UPDATE SET name = c.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (c.id, c.name)"
)
spark.conf.unset("spark.databricks.delta.write.txnAppId")
spark.conf.unset("spark.databricks.delta.write.txnVersion")
spark.sql(f"DELETE FROM {table('plain')} WHERE id = 5")

# A checkpoint of two parts.
spark.conf.set("spark.databricks.delta.checkpoint.partSize", "3")
create("parts", "id BIGINT, name STRING", "TBLPROPERTIES('delta.checkpointInterval'='5')")
for i in range(1, 7):
    spark.sql(f"INSERT INTO {table('parts')} SELECT {i}, 'row {i}'")
spark.conf.unset("spark.databricks.delta.checkpoint.partSize")

# Refused, each by its feature.
create("vectors", "id BIGINT", "TBLPROPERTIES('delta.enableDeletionVectors'='true')")
spark.sql(f"INSERT INTO {table('vectors')} SELECT id FROM range(0, 100, 1, 1)")
spark.sql(f"DELETE FROM {table('vectors')} WHERE id = 5")
create("mapped", "id BIGINT", "TBLPROPERTIES('delta.columnMapping.mode'='name')")
create("checked", "id BIGINT")
spark.sql(f"ALTER TABLE {table('checked')} ADD CONSTRAINT positive CHECK (id > 0)")
create("fed", "id BIGINT", "TBLPROPERTIES('delta.enableChangeDataFeed'='true')")
create("appended", "id BIGINT", "TBLPROPERTIES('delta.appendOnly'='true')")
create("partitioned", "id BIGINT, d STRING", "PARTITIONED BY (d)")
create("notnull", "id BIGINT NOT NULL")
create("rowtracked", "id BIGINT", "TBLPROPERTIES('delta.enableRowTracking'='true')")
create("v2checkpoint", "id BIGINT", "TBLPROPERTIES('delta.checkpointPolicy'='v2')")
create("nested", "id BIGINT, s STRUCT<a:INT>, l ARRAY<INT>")
create("ntz", "id BIGINT, t TIMESTAMP_NTZ")
create("clustered", "id BIGINT", "CLUSTER BY (id)")
spark.stop()
