"""A change file's field as a lake value in Spark: NULL told apart, unescaped, cast (twin of castSql in src/core/column-type.ts)."""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from .definition import ColumnDefinition
from .dms_text import dms_text
from .header import FileLayout

# Repeated classes, never repeated groups: Java's regular expressions recurse on those and overflow on a long value.
_PATTERNS = {
    "byte": "[+-]?[0-9]+",
    "short": "[+-]?[0-9]+",
    "integer": "[+-]?[0-9]+",
    "long": "[+-]?[0-9]+",
    "boolean": "[01]",
    "float": "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?",
    "double": "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?",
    "binary": "[0-9a-fA-F]*",
    "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "timestamp": "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?",
}
# A date whose year, month or day is zero: MySQL stores it, no lake type can.
_ZERO_DATE = r"\A(0000-[0-9]{2}-[0-9]{2}|[0-9]{4}-00-[0-9]{2}|[0-9]{4}-[0-9]{2}-00)"
_SQL_TYPES = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint"}


def sql_type(delta: str) -> str:
    """The Spark type that is written as this Delta type."""
    return _SQL_TYPES.get(delta, delta)


def field_text(field: Column, layout: FileLayout, column: ColumnDefinition) -> Column:
    """The text of a field, NULL told apart. Of ours `\\N` is NULL, and of an escaped one a backslash is taken off."""
    # Spark gives an empty field as NULL whatever it is told.
    text = F.coalesce(field, F.lit(""))
    if layout.writer != "cdc":
        if layout.null is not None:
            return dms_text(F.when(text != layout.null, text), column)
        return dms_text(text if not column.nullable and column.delta == "string" else F.when(text != "", text), column)
    if column.delta != "string":
        return F.when(text != "\\N", text)
    escaped = text.startswith("\\") & text.rlike(r"\A\\+N\z")
    return F.when(~escaped, text).when(text != "\\N", text.substr(F.lit(2), F.length(text)))


def cast_text(text: Column, name: str, column: ColumnDefinition, zero_dates: str) -> tuple[Column, Column]:
    """The value of a text, and whether it fits exactly. A NULL text is a NULL value and fits. `name`: the text's column."""
    delta = column.delta
    if delta == "string":
        return text, F.lit(True)
    matches = text.rlike(rf"\A(?:{_pattern(delta)})\z")
    if delta == "binary":
        matches = matches & (F.length(text) % 2 == 0)
        value = F.unhex(text)
    elif delta == "boolean":
        value = text == "1"
    else:
        value = F.expr(f"try_cast({name} AS {sql_type(delta)})")
    fits = matches & value.isNotNull()
    if delta in ("float", "double"):
        # Beyond its range a number is infinite to Spark.
        fits = fits & ~F.abs(value).isin(float("inf"), float("nan"))
    if delta in ("date", "timestamp"):
        zero = text.rlike(_ZERO_DATE)
        fits = ~zero & fits if zero_dates == "fail" else zero | fits
        value = F.when(~zero, value)
    return F.when(matches, value), text.isNull() | F.coalesce(fits, F.lit(False))


def _pattern(delta: str) -> str:
    decimal = re.fullmatch(r"decimal\(\d+,(\d+)\)", delta)
    if decimal is None:
        return _PATTERNS[delta]
    scale = int(decimal[1])
    return f"[+-]?([0-9]+([.][0-9]{{0,{scale}}}0*)?|[.][0-9]{{1,{max(scale, 1)}}}0*)"
