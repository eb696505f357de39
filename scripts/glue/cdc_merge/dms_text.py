"""DMS's text of a value as our own capture writes it, in Spark (twin of src/core/merge/dms-text.ts)."""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from .definition import ColumnDefinition
from .errors import CdcError

_TYPE = re.compile(r"\s*([a-z][a-z0-9]*(?: (?:varying|precision))?)\s*(?:\((.*)\))?", re.IGNORECASE | re.DOTALL)
_HEX = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})


def dms_text(text: Column, column: ColumnDefinition) -> Column:
    """Raises `type.dms` for a type whose text nobody has documented: it is not guessed."""
    match = _TYPE.match(column.type)
    base, inside = (match[1].lower(), match[2] or "") if match else ("", "")
    size = int(inside) if inside.strip().isdigit() else None
    if base == "bit":
        if (size or 1) != 1:
            raise CdcError(
                "type.dms",
                f"column {column.name} has type {column.type}, and how DMS writes it is not documented",
                "leave the table out with `exclude:`, change the column, or follow it with our own capture",
            )
        lower = F.lower(text)
        return F.when(lower == "true", "1").when(lower == "false", "0").otherwise(text)
    if base in _HEX:
        bare = F.regexp_replace(text, r"\A0[xX]", "")
        # The binlog strips the zeros that fill up a BINARY.
        digits = 2 * (size or 1)
        return F.when(F.length(bare) >= digits, bare).otherwise(F.rpad(bare, digits, "0")) if base == "binary" else bare
    if base == "time" or (base in ("datetime", "timestamp") and column.delta == "string"):
        return _fraction(text, size or 0)
    if base in ("char", "character"):
        # As the server gives it to a client.
        return F.regexp_replace(text, r" +\z", "")
    return text


def _fraction(text: Column, digits: int) -> Column:
    """As many digits of a second as the column has; a text with more that are not zero stays as it is."""
    parts = F.split(text, r"[.]", 2)
    whole = parts.getItem(0)
    fraction = F.regexp_replace(F.when(F.size(parts) > 1, parts.getItem(1)).otherwise(F.lit("")), r"0+\z", "")
    fits = text.rlike(r"\A[-0-9: ]*[0-9]([.][0-9]*)?\z") & (F.length(fraction) <= digits)
    mended = whole if digits == 0 else F.concat(whole, F.lit("."), F.rpad(fraction, digits, "0"))
    return F.when(fits, mended).otherwise(text)
