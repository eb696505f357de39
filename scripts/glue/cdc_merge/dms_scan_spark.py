"""Looks through change files of DMS in Spark: their rows are counted and their sequences compared where they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from .csv_fields import FILE, address_of, address_of_row, blank_lines, breaks_within, named, read_fields
from .dms_scan import DmsScan, DmsSource, scan_strictly
from .errors import CdcError
from .header import FileLayout
from .session import size_output
from .side_by_side import side_by_side
from .spark_error import is_unreadable, spark_message

_PLACE, _SEQ, _STRANGE, _LINES, _FALLS = "=place", "=seq", "=strange", "=lines", "=falls"


def scan_in_spark(spark: SparkSession, files: Sequence[DmsSource]) -> list[DmsScan]:
    """Of each file, in their order. Raises `file.*`, naming the line."""
    size_output(spark, sum(one.size for one in files))
    scans: dict[str, DmsScan] = {}
    for group in _alike(files):
        whole = side_by_side(_ends_with_a_row, group)
        for one, is_whole in zip(group, whole):
            if not is_whole:
                # It raises, saying where.
                scan_strictly(one)
        scans |= _scan_group(spark, group)
    return [scans[one.key] for one in files]


def _alike(files: Iterable[DmsSource]) -> list[list[DmsSource]]:
    """Files that are read at once: those of one layout."""
    groups: dict[FileLayout, list[DmsSource]] = {}
    for one in files:
        groups.setdefault(one.layout, []).append(one)
    return list(groups.values())


def _ends_with_a_row(source: DmsSource) -> bool:
    """Spark takes what is left of a cut row for a whole one."""
    return source.store.get_range(source.key, source.size - 1, source.size) == b"\n"


def _scan_group(spark: SparkSession, group: Sequence[DmsSource]) -> dict[str, DmsScan]:
    try:
        found = {address_of_row(row[FILE]): row for row in _facts(spark, group).collect()}
    except Exception as error:
        if not is_unreadable(error):
            raise
        raise _explain(group, spark_message(error)) from error
    rows = [found.get(address_of(one.uri)) for one in group]
    blank = blank_lines(spark, group, [0 if row is None else row["lines"] for row in rows])
    return {one.key: _scan_of(one, row, count != 0) for one, row, count in zip(group, rows, blank)}


def _scan_of(source: DmsSource, row: Row | None, has_blank_lines: bool) -> DmsScan:
    if has_blank_lines or (row is not None and row["strange"]):
        return scan_strictly(source)
    if row is None:
        return DmsScan(source.size)
    return DmsScan(source.size, False, row["rows"], row["least"], row["greatest"], row["last"], row["repeats"])


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
    """What a strict look has to decide on: mostly what Spark reads and RFC 4180 forbids."""
    strange = F.lit(False)
    for place, role in enumerate(layout.fields):
        if role.kind == "op":
            strange = strange | ~F.col(f"f{place}").isin("I", "U", "D")
        elif role.kind == "number":
            strange = strange | ~F.col(f"f{place}").rlike(r"\A[0-9]{35}\z")
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
