"""Change and load files in Spark as they are: every field as text, and how many lines they have."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from functools import reduce
from typing import Protocol
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from .header import FileLayout

FILE = "=file"
"""The address of the file that a row was read from; `=` cannot stand in a lake name."""
SCHEME = "^[a-z0-9]+:/*"
"""Of an address, with the slashes after it, of which there are one to three."""
_GLOB = set("{}[]*?\\")


def quote_name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def named(name: str) -> Column:
    return F.col(quote_name(name))


class ReadFile(Protocol):
    """A file whose layout is known."""

    @property
    def layout(self) -> FileLayout: ...

    @property
    def uri(self) -> str: ...


def read_fields(spark: SparkSession, sources: Sequence[ReadFile]) -> DataFrame:
    """`f0` … as the files have them, and the file's address. Rows with another number of fields fail the read."""
    layout = sources[0].layout
    schema = StructType([StructField(f"f{place}", StringType()) for place in range(len(layout.fields))])
    reader = spark.read.schema(schema).options(
        header=str(layout.has_header).lower(),
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
    return reader.csv(_paths(sources)).select("*", _file_of_row())


def breaks_within(layout: FileLayout) -> Column:
    """How many line breaks stand in the fields of a row."""
    fields = [F.coalesce(F.col(f"f{place}"), F.lit("")) for place in range(len(layout.fields))]
    return reduce(lambda a, b: a + b, [F.length(one) - F.length(F.replace(one, F.lit("\n"), F.lit(""))) for one in fields])


def blank_lines(spark: SparkSession, sources: Sequence[ReadFile], found: Sequence[int]) -> list[int]:
    """How many blank lines each file has between its rows: the reader passes over them. `found`: lines of the rows that it
    gave of each. (A name with a line break in the header counts too.)"""
    lines = spark.read.text(_paths(sources), lineSep="\n").select(_file_of_row()).groupBy(named(FILE)).count()
    there = {address_of_row(row[FILE]): row["count"] for row in lines.collect()}
    heads = int(sources[0].layout.has_header)
    return [there.get(address_of(one.uri), heads) - heads - rows for one, rows in zip(sources, found)]


def _file_of_row() -> Column:
    return F.col("_metadata.file_path").alias(FILE)


def _paths(sources: Sequence[ReadFile]) -> list[str]:
    return ["".join(f"\\{char}" if char in _GLOB else char for char in one.uri) for one in sources]


def address_of(uri: str) -> str:
    """What tells files apart: an address without its scheme."""
    return re.sub(SCHEME, "", uri)


def address_of_row(file: str) -> str:
    """Of what a row's FILE says: Spark writes `file:///a%20b` of what we call `file:///a b`."""
    return address_of(unquote(file))
