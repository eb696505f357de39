"""A batch's rows in Spark, checked whole before anything is written: none unreadable, missing, doubled, or of the wrong type."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from .batch import PreparedBatch, SourceFile
from .change_number import format_change_number
from .csv_fields import FILE, address_in_row, address_of, breaks_within, look_at_lines, named, read_fields
from .csv_records import read_pieces
from .errors import CdcError
from .number_checks import conflict, first_missing, missing
from .quarantine import UnfitRow
from .rows import explain_unreadable, read_rows
from .spark_error import is_unreadable, spark_message
from .staged_rows import FITS, KEY_FITS, NUMBER, OP, REPLACED, RowReader
from .unfit_rows import take_unfit_rows


@dataclass
class CheckedBatch:
    changes: DataFrame
    """Rows that fit, each number once."""
    loaded: DataFrame
    change_count: int = 0
    """Changes of the batch, and rows of its load."""
    loaded_count: int = 0
    """Rows of the load that fit."""
    unfit: list[UnfitRow] = field(default_factory=list)
    _held: list[DataFrame] = field(default_factory=list)

    def release(self) -> None:
        """Frees what Spark keeps of the rows."""
        for rows in self._held:
            rows.unpersist()


def check_batch(spark: SparkSession, batch: PreparedBatch) -> CheckedBatch:
    """Raises `file.*`, `change.*`, `load.*`, `row.*`."""
    reader = RowReader(spark, batch.target.columns, batch.target.key)
    if batch.by_order:
        changes = reader.ordered(batch.changes)
    else:
        changes = reader.changes(batch.changes, batch.after, batch.end)
    loaded = reader.loaded(batch.loads)
    checked = CheckedBatch(changes, loaded)
    try:
        if batch.changes and batch.by_order:
            _check_ordered(checked, batch, reader)
        elif batch.changes:
            _check_changes(checked, batch, reader)
        elif batch.end - batch.after > len(_taken_within(batch)):
            _check_none_missing(checked.changes, batch)
        if batch.loads:
            _check_loads(checked, batch, reader)
        else:
            _check_whole_load(batch, 0)
    except BaseException:
        checked.release()
        raise
    return checked


def _check_changes(checked: CheckedBatch, batch: PreparedBatch, reader: RowReader) -> None:
    rows = _hold(checked, checked.changes)
    counts = _count(rows, batch.changes, numbered=True)
    strange = _flag(rows, named(NUMBER).isNull() | ~named(OP).isin("I", "U", "D")) if counts["strange"] else []
    if strange:
        raise explain_unreadable(_sources_of(strange, batch.changes), True, "a row has no Op or no number")
    if counts["numbers"] != counts["rows"]:
        _check_repetitions(rows, batch)
        rows = rows.dropDuplicates([NUMBER])
    if counts["numbers"] != batch.end - batch.after - len(_taken_within(batch)):
        _check_none_missing(rows, batch)
    checked.change_count += counts["numbers"]
    checked.changes = rows
    if counts["unfit"]:
        files = _sources_of(_flag(rows, ~(named(FITS) & named(KEY_FITS))), batch.changes)
        checked.unfit += take_unfit_rows(reader, batch, files, (batch.after, batch.end))
        checked.changes = rows.where(named(FITS) & named(KEY_FITS))


def _check_ordered(checked: CheckedBatch, batch: PreparedBatch, reader: RowReader) -> None:
    """Files of DMS: their order counts, and how many rows there are."""
    rows = _hold(checked, checked.changes)
    counts = _count(rows, batch.changes, numbered=False)
    if counts["strange"]:
        files = _flag(rows, ~F.coalesce(named(OP).isin("I", "U", "D"), F.lit(False)))
        raise explain_unreadable(_sources_of(files, batch.changes), False, "a row has no Op or no number")
    # What a row was before it moved is no row of its own.
    is_row = F.substring(named(NUMBER), -1, 1).cast("int") % 2 == 1
    found = rows.where(is_row).count()
    if batch.expected_rows is not None and found != batch.expected_rows:
        labels = ", ".join(one.state.label for one in batch.changes)
        raise CdcError(
            "file.unreadable",
            f"reading {labels}: the engine finds {found} rows where there are {batch.expected_rows} (blank lines?)",
            "nothing of it was applied; take blank lines out of the file",
        )
    checked.change_count += found
    checked.changes = rows
    if counts["unfit"]:
        files = _flag(rows, ~(named(FITS) & named(KEY_FITS)))
        in_order = [one for one in batch.changes if one in _sources_of(files, batch.changes)]
        checked.unfit += take_unfit_rows(reader, batch, in_order, None)
        checked.changes = rows.where(named(FITS) & named(KEY_FITS))


def _check_loads(checked: CheckedBatch, batch: PreparedBatch, reader: RowReader) -> None:
    rows = _hold(checked, checked.loaded)
    counts = _count(rows, batch.loads, numbered=False)
    if counts["strange"]:
        files = _flag(rows, ~named(OP).isin("I", "U", "D"))
        raise explain_unreadable(_sources_of(files, batch.loads), False, "a row has no Op")
    found = {address_in_row(row[0]): row[1] for row in rows.groupBy(named(FILE)).count().collect()}
    for source in batch.loads:
        there = found.get(address_of(source.uri), 0)
        written = _rows_of_one_column(rows.sparkSession, source, there) if len(source.layout.fields) == 1 else source.rows
        if written is not None and there != written:
            raise CdcError(
                "load.rows",
                f"reading {source.state.label}: {there} rows, and the load wrote {written}",
                f"bring the file back from a copy, or load the table again: cdc reload {batch.table}",
            )
    _check_whole_load(batch, counts["rows"])
    checked.change_count += counts["rows"]
    checked.loaded_count = counts["rows"]
    checked.loaded = rows
    if counts["unfit"]:
        files = _sources_of(_flag(rows, ~(named(FITS) & named(KEY_FITS))), batch.loads)
        unfit = take_unfit_rows(reader, batch, files, None)
        checked.unfit += unfit
        checked.loaded_count -= len(unfit)
        checked.loaded = rows.where(named(FITS) & named(KEY_FITS))
    if batch.draft.mode == "merge":
        _check_double_key(checked.loaded, batch)


def _rows_of_one_column(spark: SparkSession, source: SourceFile, found: int) -> int:
    """How many there are where Spark found so many: a row with an empty field is a blank line, which it passes over."""
    breaks = read_fields(spark, [source]).agg(F.sum(breaks_within(source.layout))).collect()[0][0] or 0
    lines = look_at_lines(spark, [source])[0]
    if lines.odd or lines.blank(source.layout, found + breaks) != 0:
        return sum(1 for _ in read_rows(source))
    return found


def _check_whole_load(batch: PreparedBatch, found: int) -> None:
    """Also where no LOAD file is left: a load that was lost is not an empty table."""
    if found < (batch.least_load_rows or 0):
        raise CdcError(
            "load.rows",
            f"merging {batch.table}: its LOAD files hold {found} rows, and DMS has written {batch.least_load_rows}",
            f"a file is missing: bring it back from a copy, or cdc reload {batch.table}",
        )


def _hold(checked: CheckedBatch, rows: DataFrame) -> DataFrame:
    """Each file is parsed once, however often its rows are asked for; what does not fit into memory goes to Spark's disks."""
    held = rows.persist(StorageLevel.MEMORY_AND_DISK)
    checked._held.append(held)
    return held


def _count(rows: DataFrame, sources: Sequence[SourceFile], numbered: bool) -> Row:
    """One pass over the rows, in which every file is read. Raises `file.*` for those that cannot be."""
    is_strange = F.coalesce(~named(OP).isin("I", "U", "D"), F.lit(True))
    if numbered:
        is_strange = is_strange | named(NUMBER).isNull()
    fits = named(FITS) & named(KEY_FITS)
    try:
        counts = rows.agg(
            F.count("*").alias("rows"),
            F.countDistinct(named(NUMBER)).alias("numbers") if numbered else F.lit(0).alias("numbers"),
            F.count_if(is_strange).alias("strange"),
            F.count_if(~fits).alias("unfit"),
            F.count_if(named(REPLACED)).alias("replaced"),
        ).first()
    except Exception as error:
        if not is_unreadable(error):
            raise
        raise explain_unreadable(sources, numbered, spark_message(error)) from error
    assert counts is not None
    if counts["replaced"]:
        _check_encoding(_sources_of(_flag(rows, named(REPLACED)), sources), numbered)
    return counts


def _check_encoding(sources: Sequence[SourceFile], numbered: bool) -> None:
    """Spark puts U+FFFD where bytes are no UTF-8; a text may hold it rightly."""
    for source in sources:
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        try:
            for piece in read_pieces(source.state.store, source.key):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise explain_unreadable([source], numbered, str(error)) from error


def _check_repetitions(rows: DataFrame, batch: PreparedBatch) -> None:
    """A change in two files of a batch (captured again) must be the same in both."""
    columns = [NUMBER, OP, *(one.lake for one in batch.target.columns)]
    different = rows.select(*map(named, columns)).distinct().groupBy(named(NUMBER)).count().where("count > 1")
    number = different.agg(F.min(named(NUMBER))).first()
    if number is not None and number[0] is not None:
        files = _flag(rows, named(NUMBER) == number[0])
        raise conflict(int(number[0]), [source.state.label for source in _sources_of(files, batch.changes)])


def _check_none_missing(rows: DataFrame, batch: PreparedBatch) -> None:
    numbers = rows.select(named(NUMBER).cast("decimal(20,0)").alias("number"))
    spark = rows.sparkSession
    last = spark.createDataFrame([(format_change_number(batch.end + 1),)], "number string")
    numbers = numbers.union(last.select(F.col("number").cast("decimal(20,0)"))).distinct()
    first = F.lit(format_change_number(batch.after)).cast("decimal(20,0)")
    previous = F.lag("number", 1).over(Window.orderBy("number"))
    # Taken numbers are gaps too: there are as many as definitions and truncations.
    jumps = numbers.withColumn("previous", F.coalesce(previous, first)).where("number <> previous + 1")
    found = first_missing(((int(row[0]), int(row[1])) for row in jumps.collect()), batch.taken)
    if found is None:
        return
    number, before, after = found
    beside = named(NUMBER).isin(format_change_number(before), format_change_number(after))
    labels = [source.state.label for source in _sources_of(_flag(rows, beside), batch.changes)]
    raise missing(number, labels)


def _taken_within(batch: PreparedBatch) -> list[int]:
    return [number for number in batch.taken if batch.after < number <= batch.end]


def _check_double_key(loaded: DataFrame, batch: PreparedBatch) -> None:
    key = [named(one.lake) for one in batch.target.key]
    double = loaded.groupBy(*key).count().where("count > 1").limit(1).collect()
    if double:
        text = ", ".join(str(double[0][place]) for place in range(len(key)))
        raise CdcError(
            "load.double-key",
            f"merging {batch.table}: the load holds the key {text} twice",
            f"cdc reload {batch.table}",
        )


def _flag(rows: DataFrame, condition: Column) -> list[str]:
    """The files that have such rows."""
    return [row[0] for row in rows.where(condition).select(named(FILE)).distinct().collect()]


def _sources_of(files: Sequence[str], sources: Sequence[SourceFile]) -> list[SourceFile]:
    found = {address_in_row(file) for file in files}
    return sorted((one for one in sources if address_of(one.uri) in found), key=lambda one: one.key)
