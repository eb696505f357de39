"""Patterns of tables with the wildcards of a DMS table mapping (`%`, `_`, `[ab]`, `[_]`), as src/core/table-pattern.ts has them."""

from __future__ import annotations

import re

from .layout import TableName

_HALVES = re.compile(r"((?:\[[^\]]+\]|[^.\[\]])+)\.((?:\[[^\]]+\]|[^\[\]])+)", re.DOTALL)
_PIECE = re.compile(r"\[([^\]]+)\]|.", re.DOTALL)


def matches_pattern(pattern: str, table: TableName) -> bool:
    """`shop.%` against shop.orders, case-sensitive. False for a text that is no pattern."""
    halves = _HALVES.fullmatch(pattern)
    return halves is not None and all(
        re.fullmatch(_PIECE.sub(_expression, half), name, re.DOTALL) is not None
        for half, name in zip(halves.groups(), (table.schema, table.table))
    )


def _expression(piece: re.Match[str]) -> str:
    if piece[1] is not None:
        # `^` and `\` mean themselves within a set; only `-` between two characters is special.
        return "[" + re.sub(r"[\\^\[\]&~|]", r"\\\g<0>", piece[1]) + "]"
    return {"%": ".*", "_": "."}.get(piece[0], re.escape(piece[0]))
