"""Large values that DMS may have cut, in Spark (twin of src/core/merge/cut-value.ts): they do not fit, for nobody can tell a cut
one from one that is as long."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from .definition import ColumnDefinition
from .header import FileLayout
from .large_value import CUT_CHARACTER_BYTES, is_large_object


def is_whole(text: Column, column: ColumnDefinition, layout: FileLayout) -> Column:
    """Whether a text is no such value; as why_cut says."""
    if not is_large_object(column):
        return F.lit(True)
    cuts = [_may_be_cut(text, column, limit) for limit in layout.cut_at]
    return ~F.coalesce(reduce(Column.__or__, cuts, F.lit(False)), F.lit(False))


def _may_be_cut(text: Column, column: ColumnDefinition, limit: int) -> Column:
    length = F.octet_length(text)
    if column.delta == "binary":
        return length == 2 * limit
    return length.between(limit - CUT_CHARACTER_BYTES, limit) | (F.length(text) == limit)
