"""Rows set aside: one file per batch, which counts once the batch is committed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .layout import TableName, quarantine_folder
from .ledger import Plan
from .store import Store


@dataclass(frozen=True)
class UnfitRow:
    """A row that does not fit, as it goes to quarantine: one JSON object a line."""

    file: str
    """The file's location, as messages name it."""
    line: int
    reason: str
    op: str | None
    ts: str | None
    seq: str | None
    values: Mapping[str, str | None]
    """Text by source column; None is NULL."""

    def to_json(self) -> str:
        fields = {"file": self.file, "line": self.line, "reason": self.reason, "op": self.op}
        fields |= {"ts": self.ts, "seq": self.seq}
        present = {name: value for name, value in fields.items() if value is not None}
        return json.dumps({**present, "values": dict(self.values)}, ensure_ascii=False, separators=(",", ":"))


def quarantine_key(table: TableName, seq: int) -> str:
    return f"{quarantine_folder(table)}{seq:012d}/rows.jsonl"


def put_quarantine(lake: Store, plan: Plan, rows: Iterable[UnfitRow]) -> None:
    """Before the commit; nothing where every row fits."""
    body = "".join(f"{row.to_json()}\n" for row in rows)
    if body:
        lake.put(quarantine_key(plan.definition.name, plan.seq), body)


def count_quarantined(lake: Store, state: Plan) -> int:
    """Rows in quarantine of every batch that was committed, the one that `state` is included."""
    rows = lake.get_if_present(quarantine_key(state.definition.name, state.seq))
    return state.quarantined_before + (0 if rows is None else rows.count(b"\n"))
