"""Checked rows become one commit of the lake table: a MERGE, a replacement of all rows, or rows appended to a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from .batch import PreparedBatch
from .change_number import format_change_number
from .checked_batch import CheckedBatch
from .csv_fields import named, quote_name
from .definition import LakeColumn
from .errors import CdcError
from .lake_snapshot import LakeSnapshot
from .lake_value import sql_type
from .ledger import Plan
from .session import files_for, ledger_entry
from .times import dms_time
from .staged_rows import NUMBER, OP, SEQ, TS

_VIEW = "cdc_changes"
_RANK = "=rank"


@dataclass(frozen=True)
class Applied:
    inserted: int
    updated: int
    deleted: int


class Commit:
    """What is to be committed: prepared before the last checks, run after them."""

    def __init__(
        self, spark: SparkSession, uri: str, batch: PreparedBatch, plan: Plan, rows: CheckedBatch, before: LakeSnapshot | None
    ) -> None:
        self._spark, self._uri, self._batch, self._plan, self._rows, self._before = spark, uri, batch, plan, rows, before
        self._key = [one.lake for one in batch.target.key]
        self._columns = [one.lake for one in batch.target.columns]

    def run(self) -> Applied | None:
        """None: the log has this batch already."""
        if self._plan.mode == "append":
            return self._append()
        return self._replace() if self._batch.target.replace else self._merge()

    def _latest(self) -> DataFrame:
        """The last change of each key. Keys are compared by their values in the lake's type, byte for byte."""
        newest = Window.partitionBy(*map(named, self._key)).orderBy(named(NUMBER).desc())
        ranked = self._rows.changes.withColumn(_RANK, F.row_number().over(newest))
        return ranked.where(named(_RANK) == 1).drop(_RANK)

    def _merge(self) -> Applied | None:
        self._latest().select(named(OP), *map(named, self._columns)).createOrReplaceTempView(_VIEW)
        op = quote_name(OP)
        names = [quote_name(name) for name in self._columns]
        on = " AND ".join(f"t.{quote_name(name)} = s.{quote_name(name)}" for name in self._key)
        self._check_double_key(on)
        sql = (
            f"MERGE INTO delta.{quote_name(self._uri)} t USING {_VIEW} s ON {on} "
            f"WHEN MATCHED AND s.{op} = 'D' THEN DELETE "
            f"WHEN MATCHED THEN UPDATE SET {', '.join(f'{name} = s.{name}' for name in names)} "
            f"WHEN NOT MATCHED AND s.{op} <> 'D' THEN INSERT ({', '.join(names)}) "
            f"VALUES ({', '.join(f's.{name}' for name in names)})"
        )
        evolve = bool(self._batch.target.added)
        with ledger_entry(self._spark, self._plan.app_id, self._plan.seq, evolve):
            counts = self._spark.sql(sql).collect()
        if not counts:
            return None
        row = counts[0]
        return Applied(row["num_inserted_rows"], row["num_updated_rows"], row["num_deleted_rows"])

    def _check_double_key(self, on: str) -> None:
        """A MERGE would change every row of a key that is there more than once."""
        if self._before is None:
            return
        keys = ", ".join(f"t.{quote_name(name)}" for name in self._key)
        sql = (
            f"SELECT 1 FROM delta.{quote_name(self._uri)} t LEFT SEMI JOIN {_VIEW} s ON {on} "
            f"GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"
        )
        if self._spark.sql(sql).collect():
            table = self._batch.table
            raise CdcError(
                "lake.double-key",
                f"merging {table}: the lake table has rows with the same key",
                f"someone else has written to it; load the table again: cdc reload {table}",
            )

    def _replace(self) -> Applied:
        """A load or truncation with the changes after it: all files go, the new rows come."""
        columns = list(map(named, self._columns))
        rows = self._rows.loaded.select(*columns)
        after = self._rows.loaded_count
        if self._batch.changes:
            latest = self._latest()
            changed = latest.where(named(OP) != "D").select(*columns)
            if self._batch.loads:
                rows = rows.join(latest.select(*map(named, self._key)), self._key, "left_anti").select(*columns)
                rows = rows.unionByName(changed)
                after = rows.count()
            else:
                rows, after = changed, changed.count()
        before, common = self._count_before(rows, after)
        self._write(rows, "overwrite", overwriteSchema="true")
        return Applied(inserted=after - common, updated=common, deleted=before - common)

    def _count_before(self, rows: DataFrame, after: int) -> tuple[int, int]:
        """Rows that are there now, and keys that are there before and after."""
        if self._before is None:
            return 0, 0
        table = self._spark.read.format("delta").load(self._uri)
        before = table.count()
        # The key may be another since: then no row is the same.
        columns = {one.lake: one.delta for one in self._before.columns()}
        is_same_key = all(columns.get(one.lake) == one.delta for one in self._batch.target.key)
        if before == 0 or after == 0 or not is_same_key:
            return before, 0
        key = list(map(named, self._key))
        return before, rows.select(*key).join(table.select(*key), self._key, "left_semi").count()

    def _append(self) -> Applied:
        """Every change stays as a row with `_op`, `_ts`, `_seq`; a load's rows are marked `L`, a truncation is one row `T`."""
        parts: list[DataFrame] = []
        count = self._rows.change_count - len(self._rows.unfit)
        epoch, dms = self._plan.epoch, self._plan.dms
        if self._plan.kind == "load" and (epoch is not None or dms is not None):
            # A load stands at a number, as a change does; no commit time goes with it. One of DMS stands below its changes.
            if epoch is not None:
                seq = F.lit(f"{'0' * 16}{format_change_number(epoch.number)}")
            else:
                seq = F.lit(f"{dms_time(dms.started).replace('-', '')[:16]}{'0' * 19}")
            parts.append(self._marked(self._rows.loaded, F.lit("L"), F.lit(None), seq))
            if epoch is not None and epoch.kind == "truncate":
                parts.append(self._marked(self._spark.range(1), F.lit("T"), F.lit(None), seq, is_empty=True))
                count += 1
        time = F.expr(f"try_cast({quote_name(TS)} AS timestamp)")
        changes = self._marked(self._rows.changes, named(OP), time, named(SEQ))
        if self._batch.repeats:
            changes = self._once(changes)
        if self._batch.by_order:
            # An update that moves its row is two.
            count = self._rows.loaded_count + changes.count()
        parts.append(changes)
        rows = parts[0]
        for part in parts[1:]:
            rows = rows.unionByName(part)
        self._write(rows, "append", mergeSchema="true")
        return Applied(inserted=count, updated=0, deleted=0)

    def _once(self, changes: DataFrame) -> DataFrame:
        """A change of DMS is known by its sequence and its row; some come twice, or are in the table already."""
        once = changes.distinct()
        if self._before is None:
            return once
        names = [one.lake for one in self._before.columns() if one.lake in self._columns]
        there = self._spark.read.format("delta").load(self._uri).select(*map(named, names)).alias("l")
        once = once.alias("c")
        same = F.lit(True)
        for name in names:
            same = same & F.col(f"c.{quote_name(name)}").eqNullSafe(F.col(f"l.{quote_name(name)}"))
        return once.join(there, same, "left_anti")

    def _marked(self, rows: DataFrame, op: Column, ts: Column, seq: Column, is_empty: bool = False) -> DataFrame:
        marks = {"_op": op, "_ts": ts, "_seq": seq}

        def value(column: LakeColumn) -> Column:
            given = F.lit(None) if is_empty else named(column.lake)
            return marks.get(column.lake, given).cast(sql_type(column.delta)).alias(column.lake)

        return rows.select(*[value(column) for column in self._batch.target.columns])

    def _write(self, rows: DataFrame, mode: str, **options: str) -> None:
        """One commit with the batch's `txn`."""
        ledger = {"txnAppId": self._plan.app_id, "txnVersion": str(self._plan.seq)}
        # Else each split of the input, and each part of a union, would be a file.
        sized = rows.coalesce(files_for(bytes_of(self._batch)))
        sized.write.format("delta").mode(mode).options(**options, **ledger).save(self._uri)


def set_properties(spark: SparkSession, uri: str, properties: dict[str, str]) -> None:
    """Properties of a table that is there. Looked at first by whoever calls, so it can be repeated."""
    pairs = ", ".join(f"{_quote(name)} = {_quote(value)}" for name, value in properties.items())
    spark.sql(f"ALTER TABLE delta.{quote_name(uri)} SET TBLPROPERTIES ({pairs})")


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def bytes_of(batch: PreparedBatch) -> int:
    return sum(one.size for one in batch.inputs)


__all__: Sequence[str] = ("Applied", "Commit", "bytes_of", "set_properties")
