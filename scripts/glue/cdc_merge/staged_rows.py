"""Reads change and load files in Spark: every field as text, then typed rows with our own marks beside the lake's columns."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from .batch import SourceFile
from .change_number import format_change_number
from .definition import LakeColumn
from .lake_value import cast_text, field_text, sql_type

# Our own columns: `=` cannot stand in a lake name.
NUMBER = "=number"
"""19 digits, whose order as text is that of the numbers; NULL where `cdc_seq` is no number."""
OP, TS, SEQ, FILE = "=op", "=ts", "=seq", "=file"
FITS = "=fits"
"""Every value fits its type."""
KEY_FITS = "=key_fits"
"""The key's values fit and none is NULL."""
REPLACED = "=replaced"
"""A field holds U+FFFD: the file says so, or it is not UTF-8 and Spark has put it there."""
_PLACE = "=place"

_GLOB = set("{}[]*?\\")


def quote_name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def named(name: str) -> Column:
    return F.col(quote_name(name))


def alike(sources: Iterable[SourceFile]) -> list[list[SourceFile]]:
    """Files that are read at once: those whose rows follow equal columns."""
    groups: dict[object, list[SourceFile]] = {}
    for source in sources:
        columns = tuple((c.name, c.type, c.lake, c.nullable) for c in source.definition.columns)
        groups.setdefault((columns, source.definition.zero_dates), []).append(source)
    return list(groups.values())


def read_fields(spark: SparkSession, sources: Sequence[SourceFile]) -> DataFrame:
    """`f0` … as the files have them, and the file's address. Rows with another number of fields fail the read."""
    width = len(sources[0].definition.columns) + 3
    schema = StructType([StructField(f"f{place}", StringType()) for place in range(width)])
    reader = spark.read.schema(schema).options(
        header="true",
        mode="FAILFAST",
        encoding="UTF-8",
        sep=",",
        quote='"',
        escape='"',
        lineSep="\n",
        multiLine="true",
        unescapedQuoteHandling="RAISE_ERROR",
        maxCharsPerColumn="-1",
        # No file holds this text, so nothing is NULL but what our own rule makes so.
        nullValue=f"null {uuid.uuid4()}",
    )
    rows = reader.csv([_escape_glob(source.uri) for source in sources])
    return rows.select("*", F.col("_metadata.file_path").alias(FILE))


def _escape_glob(uri: str) -> str:
    return "".join(f"\\{char}" if char in _GLOB else char for char in uri)


class RowReader:
    """Typed rows of a batch's files in the columns of the lake table after the batch."""

    def __init__(self, spark: SparkSession, columns: Sequence[LakeColumn], key: Sequence[LakeColumn]) -> None:
        self._spark = spark
        self._columns = columns
        self._key = {one.lake.lower() for one in key}

    def changes(self, sources: Sequence[SourceFile], after: int, end: int) -> DataFrame:
        """Changes above `after` and up to `end`, and rows whose number is none."""
        low, high = format_change_number(after), format_change_number(end)
        within = named(NUMBER).isNull() | ((named(NUMBER) > low) & (named(NUMBER) <= high))
        return self._rows(sources).where(within)

    def loaded(self, sources: Sequence[SourceFile]) -> DataFrame:
        return self._rows(sources)

    def misfits(self, source: SourceFile, window: tuple[int, int] | None) -> DataFrame:
        """Of one file: `place` (from 1) of each row that does not fit, and `columns`: the indexes of what does not."""
        width = len(source.definition.columns)
        # One file is one partition, read in its order.
        fields = read_fields(self._spark, [source]).withColumn(_PLACE, F.monotonically_increasing_id() + 1)
        texts = self._texts(fields, source)
        wrong = []
        for index, column in enumerate(source.definition.columns):
            _value, fits = cast_text(F.col(f"t{index}"), f"t{index}", column, source.definition.zero_dates)
            if column.lake.lower() in self._key:
                fits = fits & F.col(f"t{index}").isNotNull()
            wrong.append(F.when(~fits, F.lit(index)))
        found = texts.select(
            named(NUMBER),
            named(_PLACE).alias("place"),
            F.filter(F.array(*wrong), lambda index: index.isNotNull()).alias("columns"),
        ).where(F.size("columns") > 0)
        if window is not None:
            low, high = map(format_change_number, window)
            found = found.where((named(NUMBER) > low) & (named(NUMBER) <= high))
        assert width > 0
        return found.select("place", "columns").orderBy("place")

    def _rows(self, sources: Sequence[SourceFile]) -> DataFrame:
        parts = [self._typed(group) for group in alike(sources)]
        return reduce(DataFrame.union, parts) if parts else self._empty()

    def _typed(self, group: Sequence[SourceFile]) -> DataFrame:
        first = group[0]
        texts = self._texts(read_fields(self._spark, group), first)
        values: dict[str, Column] = {}
        all_fit, key_fits = F.lit(True), F.lit(True)
        for index, column in enumerate(first.definition.columns):
            text = F.col(f"t{index}")
            value, fits = cast_text(text, f"t{index}", column, first.definition.zero_dates)
            values[column.lake.lower()] = value
            all_fit = all_fit & fits
            if column.lake.lower() in self._key:
                key_fits = key_fits & fits & text.isNotNull()
        marks = [named(NUMBER), named(OP), named(TS), named(SEQ), named(FILE), named(REPLACED)]
        targets = [self._value(values, one).alias(one.lake) for one in self._columns]
        return texts.select(*marks, all_fit.alias(FITS), key_fits.alias(KEY_FITS), *targets)

    def _value(self, values: dict[str, Column], target: LakeColumn) -> Column:
        value = values.get(target.lake.lower(), F.lit(None))
        return value.cast(sql_type(target.delta))

    def _texts(self, fields: DataFrame, source: SourceFile) -> DataFrame:
        columns = source.definition.columns
        seq = F.col(f"f{len(columns) + 2}")
        number = F.when(seq.rlike(r"\A[0-9]{35}\z"), F.substring(seq, 17, 19))
        texts = [field_text(F.col(f"f{index + 2}"), column).alias(f"t{index}") for index, column in enumerate(columns)]
        strange = [F.col(f"f{place}").contains("\ufffd") for place in range(len(columns) + 3)]
        replaced = F.coalesce(reduce(lambda a, b: F.coalesce(a, F.lit(False)) | F.coalesce(b, F.lit(False)), strange), F.lit(False))
        place = [named(_PLACE)] if _PLACE in fields.columns else []
        return fields.select(
            number.alias(NUMBER),
            F.col("f0").alias(OP),
            F.col("f1").alias(TS),
            seq.alias(SEQ),
            named(FILE),
            replaced.alias(REPLACED),
            *place,
            *texts,
        )

    def _empty(self) -> DataFrame:
        text = ", ".join(f"{quote_name(name)} string" for name in (NUMBER, OP, TS, SEQ, FILE))
        flags = ", ".join(f"{quote_name(name)} boolean" for name in (REPLACED, FITS, KEY_FITS))
        columns = ", ".join(f"{quote_name(one.lake)} {sql_type(one.delta)}" for one in self._columns)
        return self._spark.createDataFrame([], f"{text}, {flags}, {columns}")
