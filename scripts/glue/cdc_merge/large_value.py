"""Large values in files of DMS (as src/core/change-file/large-value.ts): it cuts what is longer than its task's LobMaxSize and
tells nobody but its log."""

from __future__ import annotations

from .definition import ColumnDefinition
from .header import FileLayout

_LARGE_TYPES = frozenset({"mediumtext", "longtext", "mediumblob", "longblob", "json"})
"""Types that DMS takes for large objects. TEXT and BLOB are none to it."""
CUT_CHARACTER_BYTES = 3
"""A text that is cut within a character ends before it: up to so many bytes earlier."""


def is_large_object(column: ColumnDefinition) -> bool:
    return column.type.strip().split("(")[0].split(" ")[0].lower() in _LARGE_TYPES


def why_cut(value: str, column: ColumnDefinition, layout: FileLayout) -> str | None:
    """Why a value does not fit; None when it was not cut. Whether DMS counts a text's bytes or characters is not documented."""
    if not is_large_object(column):
        return None
    for limit in layout.cut_at:
        if column.delta == "binary":
            bare = value[2:] if value[:2].lower() == "0x" else value
            is_cut = len(bare) == 2 * limit
        else:
            size = len(value.encode("utf-8", "surrogatepass"))
            is_cut = limit - CUT_CHARACTER_BYTES <= size <= limit or len(value) == limit
        if is_cut:
            return (
                f"column {column.name}: as long as the longest that DMS writes (LobMaxSize {limit // 1024} KB), "
                "so it may be cut"
            )
    return None
