"""Change and load files in Spark as typed rows: our own marks beside the lake's columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from .batch import SourceFile
from .change_number import format_change_number
from .csv_fields import FILE, SCHEME, address_of, breaks_within, named, quote_name, read_fields
from .csv_range import read_header
from .cut_value import is_whole
from .definition import ColumnDefinition, LakeColumn
from .lake_value import cast_text, field_text, sql_type

# Our own columns: `=` cannot stand in a lake name.
NUMBER = "=number"
"""19 digits, whose order as text is that of the numbers; NULL where `cdc_seq` is no number."""
OP, TS, SEQ = "=op", "=ts", "=seq"
FITS = "=fits"
"""Every value fits its type."""
KEY_FITS = "=key_fits"
"""The key's values fit and none is NULL."""
REPLACED = "=replaced"
"""A field holds U+FFFD: the file says so, or it is not UTF-8 and Spark has put it there."""
_PLACE, _FIELDS, _LINES = "=place", "=fields", "=lines"


def alike(sources: Iterable[SourceFile]) -> list[list[SourceFile]]:
    """Files that are read at once: those whose rows follow equal columns."""
    groups: dict[object, list[SourceFile]] = {}
    for source in sources:
        columns = tuple((c.name, c.type, c.lake, c.nullable) for c in source.definition.columns)
        groups.setdefault((columns, source.definition.zero_dates, source.layout), []).append(source)
    return list(groups.values())


def _places(source: SourceFile, kind: str) -> dict[int, int]:
    """Where fields of columns stand, by the column's index."""
    return {role.index: place for place, role in enumerate(source.layout.fields) if role.kind == kind}


def _before_fits(index: int, column: ColumnDefinition, source: SourceFile) -> Column:
    """Of an update, what a key's column was fits its type."""
    _value, fits = cast_text(F.col(f"b{index}"), f"b{index}", column, source.definition.zero_dates)
    return (named(OP) != "U") | fits


class RowReader:
    """Typed rows of a batch's files in the columns of the lake table after the batch."""

    def __init__(self, spark: SparkSession, columns: Sequence[LakeColumn], key: Sequence[LakeColumn]) -> None:
        self._spark = spark
        self._columns = columns
        self._key = {one.lake.lower() for one in key}

    def changes(self, sources: Sequence[SourceFile], after: int, end: int) -> DataFrame:
        """Changes of ours above `after` and up to `end`, and rows whose number is none."""
        low, high = format_change_number(after), format_change_number(end)
        within = named(NUMBER).isNull() | ((named(NUMBER) > low) & (named(NUMBER) <= high))
        return self._rows(sources).where(within)

    def ordered(self, sources: Sequence[SourceFile]) -> DataFrame:
        """Changes of DMS, numbered by the order of the files and then of the rows; odd, for an update that moves its row to
        another key is two, D of the old key before I of the new one."""
        path = self._spark.sparkContext._jvm.org.apache.hadoop.fs.Path
        places = [(address_of(path(one.uri).toUri().toString()), index) for index, one in enumerate(sources)]
        files = self._spark.createDataFrame(places, "address string, place int")
        parts = [self._typed(group, F.broadcast(files)) for group in alike(sources)]
        return reduce(DataFrame.union, parts) if parts else self._empty()

    def loaded(self, sources: Sequence[SourceFile]) -> DataFrame:
        return self._rows(sources)

    def misfits(self, source: SourceFile, window: tuple[int, int] | None) -> DataFrame:
        """Of one file, the rows that do not fit, in their order: the `line` of the file, the `fields`, and in `columns` the
        indexes of what does not."""
        bare = [F.coalesce(F.col(f"f{place}"), F.lit("")) for place in range(len(source.layout.fields))]
        fields = read_fields(self._spark, [source]).select(
            "*",
            # One file is one partition, read in its order.
            F.monotonically_increasing_id().alias(_PLACE),
            F.array(*bare).alias(_FIELDS),
            (breaks_within(source.layout) + 1).alias(_LINES),
        )
        texts = self._texts(fields, source)
        befores = _places(source, "before")
        wrong = []
        for index, column in enumerate(source.definition.columns):
            _value, fits = cast_text(F.col(f"t{index}"), f"t{index}", column, source.definition.zero_dates)
            fits = fits & is_whole(F.col(f"t{index}"), column, source.layout)
            if column.lake.lower() in self._key:
                fits = fits & F.col(f"t{index}").isNotNull()
                if index in befores:
                    fits = fits & _before_fits(index, column, source)
            wrong.append(F.when(~fits, F.lit(index)))
        columns = F.filter(F.array(*wrong), lambda index: index.isNotNull())
        is_wanted = F.size(columns) > 0
        if window is not None:
            low, high = map(format_change_number, window)
            is_wanted = is_wanted & (named(NUMBER) > low) & (named(NUMBER) <= high)
        header = read_header(source.state.store, source.key) if source.layout.has_header else ()
        first = 1 + int(source.layout.has_header) + sum(name.count("\n") for name in header)
        before = Window.orderBy(named(_PLACE)).rowsBetween(Window.unboundedPreceding, -1)
        # The window moves every row to one place: of those that fit, only how many lines they have.
        misfit = F.struct(named(_FIELDS).alias("fields"), columns.alias("columns"))
        found = texts.select(named(_PLACE), named(_LINES), F.when(is_wanted, misfit).alias("misfit"))
        line = F.lit(first) + F.coalesce(F.sum(named(_LINES)).over(before), F.lit(0))
        return found.withColumn("line", line).where("misfit IS NOT NULL").select("line", "misfit.*").orderBy("line")

    def _rows(self, sources: Sequence[SourceFile]) -> DataFrame:
        parts = [self._typed(group) for group in alike(sources)]
        return reduce(DataFrame.union, parts) if parts else self._empty()

    def _typed(self, group: Sequence[SourceFile], files: DataFrame | None = None) -> DataFrame:
        """`files`: places of the files, by which rows are numbered."""
        first = group[0]
        fields = read_fields(self._spark, group)
        if files is not None:
            # A file is one partition, so within it this rises with its rows.
            fields = fields.withColumn(_PLACE, F.monotonically_increasing_id())
        texts = self._texts(fields, first)
        befores = _places(first, "before")
        moved = F.lit(False)
        values: dict[str, Column] = {}
        all_fit, key_fits = F.lit(True), F.lit(True)
        for index, column in enumerate(first.definition.columns):
            text = F.col(f"t{index}")
            value, fits = cast_text(text, f"t{index}", column, first.definition.zero_dates)
            if index in befores:
                was, _ = cast_text(F.col(f"b{index}"), f"b{index}", column, first.definition.zero_dates)
                if column.lake.lower() in self._key:
                    moved = moved | (F.col(f"b{index}").isNotNull() & ~was.eqNullSafe(value))
                    fits_before = _before_fits(index, column, first)
                    key_fits = key_fits & fits_before
                if files is not None:
                    value = F.when(F.col("part") == 0, was).otherwise(value)
            values[column.lake.lower()] = value
            all_fit = all_fit & fits & is_whole(text, column, first.layout)
            if column.lake.lower() in self._key:
                key_fits = key_fits & fits & text.isNotNull()
        number, op = named(NUMBER), named(OP)
        if files is not None:
            texts = texts.withColumn("moved", (op == "U") & moved)
            texts = texts.withColumn("part", F.explode(F.array(F.lit(0), F.lit(1)))).where("part = 1 OR moved")
            texts = texts.join(files, F.regexp_replace(named(FILE), SCHEME, "") == F.col("address"))
            digits = F.lpad((named(_PLACE) * 2 + F.col("part")).cast("string"), 20, "0")
            number = F.concat(F.lpad(F.col("place").cast("string"), 8, "0"), digits)
            op = F.when(F.col("part") == 0, "D").when(F.col("moved"), "I").otherwise(op)
        marks = [number.alias(NUMBER), op.alias(OP), named(TS), named(SEQ), named(FILE), named(REPLACED)]
        targets = [self._value(values, one).alias(one.lake) for one in self._columns]
        return texts.select(*marks, all_fit.alias(FITS), key_fits.alias(KEY_FITS), *targets)

    def _value(self, values: dict[str, Column], target: LakeColumn) -> Column:
        value = values.get(target.lake.lower(), F.lit(None))
        return value.cast(sql_type(target.delta))

    def _texts(self, fields: DataFrame, source: SourceFile) -> DataFrame:
        columns, layout = source.definition.columns, source.layout
        lone = {role.kind: place for place, role in enumerate(layout.fields) if role.index < 0}

        def mark(kind: str, absent: str | None) -> Column:
            # Spark gives an empty field as NULL.
            place = lone.get(kind)
            return F.lit(absent).cast("string") if place is None else F.col(f"f{place}")

        def text_at(place: int | None, index: int) -> Column:
            if place is None:
                return F.lit(None).cast("string")
            return field_text(F.col(f"f{place}"), layout, columns[index])

        given, befores = _places(source, "column"), _places(source, "before")
        seq = mark("number", None)
        number = F.when(seq.rlike(r"\A[0-9]{35}\z"), F.substring(seq, 17, 19))
        texts = [text_at(given.get(index), index).alias(f"t{index}") for index in range(len(columns))]
        for index, place in befores.items():
            text = text_at(place, index)
            # DMS leaves it empty where there is nothing to say.
            text = text if columns[index].delta == "string" else F.when(text != "", text)
            texts.append(text.alias(f"b{index}"))
        strange = [F.col(f"f{place}").contains("\ufffd") for place in range(len(layout.fields))]
        replaced = F.coalesce(reduce(lambda a, b: F.coalesce(a, F.lit(False)) | F.coalesce(b, F.lit(False)), strange), F.lit(False))
        given_marks = [named(name) for name in fields.columns if name.startswith("=")]
        return fields.select(
            number.alias(NUMBER),
            mark("op", "I").alias(OP),
            mark("time", None).alias(TS),
            seq.alias(SEQ),
            replaced.alias(REPLACED),
            *given_marks,
            *texts,
        )

    def _empty(self) -> DataFrame:
        text = ", ".join(f"{quote_name(name)} string" for name in (NUMBER, OP, TS, SEQ, FILE))
        flags = ", ".join(f"{quote_name(name)} boolean" for name in (REPLACED, FITS, KEY_FITS))
        columns = ", ".join(f"{quote_name(one.lake)} {sql_type(one.delta)}" for one in self._columns)
        return self._spark.createDataFrame([], f"{text}, {flags}, {columns}")
