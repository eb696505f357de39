"""Looks through change files of DMS in Spark: their rows are counted and their sequences compared where they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from .csv_fields import FILE, Lines, address_in_row, address_of, breaks_within, look_at_lines, named, read_fields
from .dms_scan import DmsScan, DmsSource, scan_strictly
from .errors import CdcError
from .header import FileLayout
from .inputs import stored_input
from .session import size_output
from .spark_error import is_unreadable, spark_message

_PLACE, _SEQ, _STRANGE, _LINES, _FALLS = "=place", "=seq", "=strange", "=lines", "=falls"


def scan_in_spark(spark: SparkSession, files: Sequence[DmsSource]) -> list[DmsScan]:
    """Of each file, in their order. Raises `file.*`, naming the line."""
    size_output(spark, sum(one.size for one in files))
    scans: dict[str, DmsScan] = {}
    for group in _alike(files):
        scans |= _scan_group(spark, group)
    return [scans[one.key] for one in files]


def _alike(files: Iterable[DmsSource]) -> list[list[DmsSource]]:
    """Files that are read at once: those of one layout."""
    groups: dict[FileLayout, list[DmsSource]] = {}
    for one in files:
        groups.setdefault(one.layout, []).append(one)
    return list(groups.values())


def _scan_group(spark: SparkSession, group: Sequence[DmsSource]) -> dict[str, DmsScan]:
    try:
        found = {address_in_row(row[FILE]): row for row in _facts(spark, group).collect()}
        lines = look_at_lines(spark, group)
    except Exception as error:
        if is_unreadable(error):
            raise _explain(group, spark_message(error)) from error
        for one in group:
            # Raises where it has gone.
            stored_input(one.store, one.key)
        raise
    return {one.key: _scan_of(one, found.get(address_of(one.uri)), its) for one, its in zip(group, lines)}


def _scan_of(source: DmsSource, row: Row | None, lines: Lines) -> DmsScan:
    rows = 0 if row is None else row["lines"]
    if lines.odd or lines.blank(source.layout, rows) != 0 or (row is not None and row["strange"]):
        return scan_strictly(source)
    if row is None:
        return DmsScan(source.size)
    found = {name: row[name] for name in ("rows", "least", "greatest", "last", "repeats")}
    return DmsScan(source.size, **found)


def _facts(spark: SparkSession, group: Sequence[DmsSource]) -> DataFrame:
    """A row for each file that has rows."""
    layout = group[0].layout
    rows = read_fields(spark, group).select(
        named(FILE),
        # A file is one partition, so within it this rises with its rows.
        F.monotonically_increasing_id().alias(_PLACE),
        _sequence(layout).alias(_SEQ),
        _is_strange(layout).alias(_STRANGE),
        (breaks_within(layout) + 1).alias(_LINES),
    )
    in_order = Window.partitionBy(named(FILE)).orderBy(named(_PLACE))
    rows = rows.withColumn(_FALLS, named(_SEQ) <= F.lag(named(_SEQ)).over(in_order))
    return rows.groupBy(named(FILE)).agg(
        F.count("*").alias("rows"),
        F.sum(named(_LINES)).alias("lines"),
        F.min(named(_SEQ)).alias("least"),
        F.max(named(_SEQ)).alias("greatest"),
        F.max_by(named(_SEQ), named(_PLACE)).alias("last"),
        F.coalesce(F.max(named(_FALLS)), F.lit(False)).alias("repeats"),
        F.max(named(_STRANGE)).alias("strange"),
    )


def _sequence(layout: FileLayout) -> Column:
    places = [place for place, role in enumerate(layout.fields) if role.kind == "number"]
    return F.col(f"f{places[0]}") if places else F.lit(None).cast("string")


def _is_strange(layout: FileLayout) -> Column:
    """What a strict look has to decide on."""
    strange = F.lit(False)
    for place, role in enumerate(layout.fields):
        if role.kind == "op":
            strange = strange | ~F.col(f"f{place}").isin("I", "U", "D")
        elif role.kind == "number":
            strange = strange | ~F.col(f"f{place}").rlike(r"\A[0-9]{35}\z")
        else:
            # Spark puts it where bytes are no UTF-8.
            strange = strange | F.coalesce(F.col(f"f{place}").contains("\ufffd"), F.lit(False))
    # A carriage return before the end of the line, or quotes that the end of the file closes.
    last = F.col(f"f{len(layout.fields) - 1}")
    strange = strange | F.coalesce(last.rlike(r"[\r\n]\z"), F.lit(False))
    # NULL is what Spark makes of an empty field.
    return F.coalesce(strange, F.lit(True))


def _explain(group: Sequence[DmsSource], failure: str) -> CdcError:
    """When Spark refuses files: which line is wrong and why."""
    try:
        for source in group:
            scan_strictly(source)
    except CdcError as error:
        return error
    labels = ", ".join(one.label for one in group)
    return CdcError("file.unreadable", f"reading {labels}: {failure}", "nothing of it was applied")
