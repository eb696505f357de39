"""When a full load by DMS began, and whether it is complete: `_cdc/dms/<schema>/<table>/<time>.json` (as src/core/change-file/dms-epoch.ts)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from .change_number import run_of
from .errors import CdcError
from .json_fields import Fields
from .layout import TableName, dms_epoch_folder
from .load_record import read_load_records
from .store import Store
from .times import dms_time, parse_time


@dataclass(frozen=True)
class DmsEpoch:
    kind: str
    """`load`: the table is what the load read, then the changes; `start`: followed from a position, without a load."""
    started: datetime
    """LOAD files older than it are leftovers, change files named before it belong to the epoch before."""
    state: str
    """`loading` or `complete`."""
    caches: bool
    """The same task keeps the table's changes back until the load is complete: then a change file says that it is."""
    rows: int | None
    """Rows of the load by DMS's statistics, once it is complete."""
    definition: int
    """The number of the definition that the table had."""
    lob_kb: tuple[int, ...]
    """LobMaxSize of each task, in KB, that has written files since; empty where nobody has written it down."""
    task: str = ""
    """The replication task that loads or follows."""
    task_arn: str | None = None
    """By which DMS is asked how far the load is; None where an earlier version wrote the epoch."""
    first_run: bool = False
    """The task had never run before: whatever its statistics show is of this load."""


def read_current_dms_epochs(staging: Store, table: TableName) -> list[DmsEpoch] | None:
    """The epochs of a table that DMS writes now; None where our own capture does: whoever came last opened the higher run."""
    epochs = _read_epochs(staging, table)
    if not epochs:
        return None
    own_run = max((run_of(record.number) for record in read_load_records(staging, table)), default=-1)
    if own_run > run_of(epochs[-1].definition):
        return None
    return [epoch for epoch in epochs if run_of(epoch.definition) > own_run]


def _read_epochs(staging: Store, table: TableName) -> list[DmsEpoch]:
    """By time. Raises `epoch.corrupt`."""
    epochs = []
    for one in staging.list(dms_epoch_folder(table)):
        body = staging.get(one.key)
        try:
            epochs.append(_parse(Fields(json.loads(body))))
        except ValueError as error:
            raise CdcError(
                "epoch.corrupt",
                f"reading {staging.location}/{one.key}: it is no epoch of a table ({error})",
                "bring it back from a copy, or load the table again: cdc reload",
            ) from error
    return sorted(epochs, key=lambda epoch: epoch.started)


def _parse(fields: Fields) -> DmsEpoch:
    fields.expect("format", 1)
    # As every version has written them; only checked.
    fields.text("schema"), fields.text("table")
    return DmsEpoch(
        kind=fields.one_of("kind", "load", "start"),
        started=parse_time(fields.text("started")),
        state=fields.one_of("state", "loading", "complete"),
        caches=fields.flag("caches"),
        rows=fields.whole("rows") if fields.has("rows") else None,
        definition=fields.number("definition"),
        lob_kb=tuple(fields.wholes("lob_kb")) if fields.has("lob_kb") else (),
        task=fields.text("task"),
        task_arn=fields.text("task_arn") if fields.has("task_arn") else None,
        first_run=fields.flag("first_run") if fields.has("first_run") else False,
    )


def complete_epoch(staging: Store, table: TableName, epoch: DmsEpoch, rows: int | None) -> DmsEpoch | None:
    """Writes down that its load is complete; None when somebody else has changed the file in this moment."""
    key = f"{dms_epoch_folder(table)}{dms_time(epoch.started)}.json"
    tag = staging.tag_of(key)
    if tag is None:
        return None
    document = json.loads(staging.get(key))
    document["state"] = "complete"
    if rows is not None:
        document["rows"] = rows
    body = json.dumps(document, indent=2, ensure_ascii=False)
    return _parse(Fields(document)) if staging.put_if_match(key, f"{body}\n", tag) else None
