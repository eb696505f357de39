"""The peer of the Glue job: the MERGE that one would write by hand for this table, in a session of the same settings.

usage: spark-submit hand_written_merge.py CHANGE_FILE TABLE_FOLDER

It keeps no ledger, checks no row, takes no lease, and cannot be run again; it prints a line when the session is there.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scripts" / "glue"))
from cdc_merge.session import open_session, size_output  # noqa: E402

changes, table = sys.argv[1:]
spark = open_session("merge by hand")
print("merging", flush=True)
size_output(spark, sum(file.stat().st_size for file in pathlib.Path(table).glob("*.parquet")))
columns = "Op string, cdc_ts string, id int, name string, note string, qty int, cdc_seq string"
spark.read.schema(columns).csv(changes, header=True).createOrReplaceTempView("changes")
spark.sql(
    """CREATE OR REPLACE TEMP VIEW latest AS SELECT * FROM (
         SELECT *, row_number() OVER (PARTITION BY id ORDER BY cdc_seq DESC) AS place FROM changes
       ) WHERE place = 1"""
)
spark.sql(
    f"""MERGE INTO delta.`{table}` t USING latest s ON t.id = s.id
        WHEN MATCHED AND s.Op = 'D' THEN DELETE
        WHEN MATCHED THEN UPDATE SET t.name = s.name, t.note = s.note, t.qty = s.qty
        WHEN NOT MATCHED AND s.Op <> 'D' THEN INSERT (id, name, note, qty) VALUES (s.id, s.name, s.note, s.qty)"""
).collect()
