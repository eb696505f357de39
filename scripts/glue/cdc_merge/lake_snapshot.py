"""What the planner must know of a lake table as it is; the engine reads it from the Delta log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from .definition import LakeColumn, is_delta_type
from .errors import CdcError
from .layout import TableName

APP_ID = "cdc.appId"
"""Table property: who keeps the table."""
KEY = "cdc.key"
"""Table property: the lake names of the key, as JSON."""


@dataclass(frozen=True)
class LakeSnapshot:
    version: int
    schema_string: str
    """The metaData action's `schemaString`."""
    configuration: Mapping[str, str]
    """Table properties."""
    txns: Mapping[str, int] = field(default_factory=dict)
    """The log's `txn` versions by appId."""

    def columns(self) -> list[LakeColumn]:
        """Call assert_ours first: types that are not ours are refused there."""
        return [LakeColumn(name, kind) for name, kind in self._fields()]

    def _fields(self) -> list[tuple[str, str]]:
        fields = json.loads(self.schema_string)["fields"]
        return [
            (one["name"], one["type"] if isinstance(one["type"], str) else json.dumps(one["type"])) for one in fields
        ]

    def unsupported(self) -> list[str]:
        """What in the table keeps us from merging into it; all else that Delta has is Spark's business."""
        reasons = []
        if self.configuration.get("delta.appendOnly", "").lower() == "true":
            reasons.append("append only (delta.appendOnly)")
        if "delta.setTransactionRetentionDuration" in self.configuration:
            # A ledger that forgets would apply a batch twice.
            reasons.append("a limited ledger (delta.setTransactionRetentionDuration)")
        reasons += [f"the type {kind} of column {name}" for name, kind in self._fields() if not is_delta_type(kind)]
        return reasons


def assert_ours(snapshot: LakeSnapshot, place: str, app_id: str, table: TableName) -> None:
    """A table that another pipeline keeps, or nobody of us made, is not ours to merge into. `place`: its location."""
    reasons = snapshot.unsupported()
    if reasons:
        raise CdcError(
            "lake.unsupported",
            f"writing the lake table {place}: this version does not support {'; '.join(reasons)}",
            "turn it off with the engine that turned it on, or load the table again into a new folder",
        )
    found = snapshot.configuration.get(APP_ID)
    if found == app_id:
        return
    owner = "was not made by cdc" if found is None else f"is kept by {found}, and this is {app_id}"
    raise CdcError(
        "lake.foreign",
        f"merging {table}: the lake table {place} {owner}",
        "use another lake folder, or move the table away",
    )
