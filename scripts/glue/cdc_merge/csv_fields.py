"""Change and load files in Spark as they are: every field as text, and how many lines they have."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
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


class CsvFile(Protocol):
    """A file whose layout is known."""

    @property
    def layout(self) -> FileLayout: ...

    @property
    def uri(self) -> str: ...


@dataclass(frozen=True)
class Lines:
    """Lines of a file as they are, for what the reader of rows passes over."""

    count: int
    odd: bool
    """One has what RFC 4180 forbids and that reader takes, or may have."""

    def blank(self, layout: FileLayout, rows: int) -> int:
        """How many blank ones stand between the rows, which have so many lines. (A header of several lines counts too.)"""
        return self.count - int(layout.has_header) - rows


# A carriage return within a line; something behind a quoted field that is empty.
_ODD = r'\r[\s\S]|(?:\A|,)""[^",]'
# A quote, those that stand doubled for one taken out, that neither begins nor ends a field.
_ODD_QUOTE = '[^,]"[^,]'


def read_fields(spark: SparkSession, sources: Sequence[CsvFile]) -> DataFrame:
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
        # No file holds this text: NULL is only what is empty, quoted or not.
        nullValue=f"null {uuid.uuid4()}",
    )
    return reader.csv(_paths(sources)).select("*", _file_of_row())


def breaks_within(layout: FileLayout) -> Column:
    """How many line breaks stand in the fields of a row."""
    fields = [F.coalesce(F.col(f"f{place}"), F.lit("")) for place in range(len(layout.fields))]
    return reduce(lambda a, b: a + b, [F.length(one) - F.length(F.replace(one, F.lit("\n"), F.lit(""))) for one in fields])


def look_at_lines(spark: SparkSession, sources: Sequence[CsvFile]) -> list[Lines]:
    """Of each file, in their order."""
    line = F.col("value")
    is_odd = line.rlike(_ODD) | F.replace(line, F.lit('""'), F.lit("")).rlike(_ODD_QUOTE)
    lines = spark.read.text(_paths(sources), lineSep="\n").select(_file_of_row(), is_odd.alias("odd"))
    counted = lines.groupBy(named(FILE)).agg(F.count("*").alias("lines"), F.max("odd").alias("odd"))
    found = {address_in_row(row[FILE]): Lines(row["lines"], row["odd"]) for row in counted.collect()}
    # A file of which nothing was read is not an empty one: each has a first line.
    return [found[address_of(one.uri)] for one in sources]


def _file_of_row() -> Column:
    return F.col("_metadata.file_path").alias(FILE)


def _paths(sources: Sequence[CsvFile]) -> list[str]:
    return ["".join(f"\\{char}" if char in _GLOB else char for char in one.uri) for one in sources]


def address_of(uri: str) -> str:
    """What tells files apart: an address without its scheme."""
    return re.sub(SCHEME, "", uri)


def address_in_row(file: str) -> str:
    """Of what a row's FILE says: Spark writes `file:///a%20b` of what we call `file:///a b`."""
    return address_of(unquote(file))
