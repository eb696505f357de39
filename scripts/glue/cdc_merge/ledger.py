"""The ledger of a lake table: plans `_cdc/batches/<seq>.json`, put-if-absent and never changed.

The plan whose number the log's `txn[appId]` names is the table's state; every other plan was overtaken or never committed.
FORMAT.md beside src/core/merge states the bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .change_number import format_change_number
from .definition import (
    LakeColumn,
    TableDefinition,
    definition_from_json,
    definition_to_json,
    without_none,
)
from .epoch import Epoch, Standing
from .errors import CdcError
from .json_fields import Fields
from .layout import TableName, batch_folder
from .store import Store
from .times import iso_time, parse_time


@dataclass(frozen=True)
class PlanInput:
    """A file that a batch reads."""

    kind: str
    """`load` or `changes`; `loose` in plans of loose files."""
    key: str
    """Relative to staging."""
    size: int
    tag: str
    """The store's tag of the content."""
    first: int | None = None
    last: int | None = None
    rows: int | None = None
    """Changes in it; files of DMS only."""


@dataclass(frozen=True)
class AppliedFile:
    """A change file of DMS that is in the table and still in staging."""

    name: str
    """Below the table's folder."""
    size: int
    tag: str


@dataclass(frozen=True)
class DmsState:
    """Where a table stands that DMS's files make."""

    kind: str
    """Of its epoch: `load` or `start`."""
    started: datetime
    sequence: str | None
    """The greatest `dms_seq` in the table; None where the files have none."""
    applied: tuple[AppliedFile, ...]
    """In the order in which their changes count."""
    since: datetime | None = None
    """Of a history: when its first epoch began. Its changes count however late they come, also below a later load."""

    @property
    def beginning(self) -> datetime:
        """Files that are named before it belong to nothing that the table has."""
        return self.since or self.started


@dataclass(frozen=True)
class Plan:
    app_id: str
    kind: str
    """`load`: the batch begins with an epoch; `changes`; `schema`: only the columns change."""
    previous: int | None
    """The batch it builds on; None for the table's first."""
    version: int | None
    """The lake table's version it builds on; None where there is no table yet."""
    created: str
    inputs: tuple[PlanInput, ...]
    definition: TableDefinition
    """The source table at the end of the batch."""
    mode: str
    """`merge`: the last change of a key counts; `append`: rows are kept as history."""
    unfit: str
    """What becomes of a row that does not fit: `fail` or `quarantine`."""
    epoch: Epoch | None
    watermark_before: int | None
    watermark_after: int | None
    """Every change at or before it is in the table once the batch is committed. None: loose files have no numbers."""
    quarantined_before: int
    """Rows in quarantine from the batches before this one."""
    contents: tuple[str, ...] | None = None
    older_contents: int | None = None
    dms: DmsState | None = None
    """Files of DMS only; `epoch` is None then, and the watermark the number of the definition, below any load of ours."""
    seq: int = 0
    """0 until the plan is put: the ledger begins at 1."""


def plan_key(table: TableName, seq: int) -> str:
    """12 digits: text order is the order of the batches."""
    return f"{batch_folder(table)}{seq:012d}.json"


def seq_of_key(key: str) -> int:
    """The number of a plan's key; 0 for another file."""
    match = re.search(r"([0-9]+)\.json\Z", key)
    return 0 if match is None else int(match[1])


def format_plan(plan: Plan, target_schema: Sequence[LakeColumn]) -> str:
    """Byte for byte what the TypeScript engine writes of the same plan."""
    epoch = plan.epoch
    fields: dict[str, Any] = {
        "format": 1,
        "seq": plan.seq,
        "app_id": plan.app_id,
        "kind": plan.kind,
        "previous": plan.previous,
        "version": plan.version,
        "created": plan.created,
        "inputs": [_input_to_json(one) for one in plan.inputs],
        "definition": definition_to_json(plan.definition),
        "target_schema": [{"name": column.lake, "type": column.delta} for column in target_schema],
        "mode": plan.mode,
        "unfit": plan.unfit,
        "epoch": None
        if epoch is None
        else {"kind": epoch.kind, "number": format_change_number(epoch.number), "suffix": epoch.suffix},
        "watermark": {"before": _number_text(plan.watermark_before), "after": _number_text(plan.watermark_after)},
        "quarantined_before": plan.quarantined_before,
    }
    if plan.contents is not None:
        fields["contents"] = list(plan.contents)
    if plan.older_contents is not None:
        fields["older_contents"] = plan.older_contents
    if plan.dms is not None:
        fields["dms"] = _dms_to_json(plan.dms)
    return json.dumps(fields, indent=2, ensure_ascii=False)


def _dms_to_json(state: DmsState) -> dict[str, Any]:
    return {
        "epoch": {"kind": state.kind, "started": iso_time(state.started)},
        **({} if state.since is None else {"since": iso_time(state.since)}),
        "sequence": state.sequence,
        "applied": [[one.name, one.size, one.tag] for one in state.applied],
    }


def _input_to_json(one: PlanInput) -> dict[str, Any]:
    fields = {"kind": one.kind, "key": one.key, "size": one.size, "tag": one.tag}
    more = {"first": _number_text(one.first), "last": _number_text(one.last), "rows": one.rows}
    return without_none({**fields, **more})


def _number_text(number: int | None) -> str | None:
    return None if number is None else format_change_number(number)


def parse_plan(body: bytes) -> Plan:
    """Raises ValueError for what is no plan."""
    fields = Fields(json.loads(body))
    fields.expect("format", 1)
    for column in fields.objects("target_schema"):
        column.text("name"), column.text("type")
    watermark = fields.nested("watermark")
    return Plan(
        seq=fields.whole("seq"),
        app_id=fields.text("app_id"),
        kind=fields.one_of("kind", "load", "changes", "schema", "restore", "repair"),
        previous=None if fields.is_null("previous") else fields.whole("previous"),
        version=None if fields.is_null("version") else fields.whole("version"),
        created=fields.text("created"),
        inputs=tuple(_input_from_json(one) for one in fields.objects("inputs")),
        definition=definition_from_json(fields.nested("definition")),
        mode=fields.one_of("mode", "merge", "append"),
        unfit=fields.one_of("unfit", "fail", "quarantine"),
        epoch=None if fields.is_null("epoch") else _epoch_from_json(fields.nested("epoch")),
        watermark_before=None if watermark.is_null("before") else watermark.number("before"),
        watermark_after=None if watermark.is_null("after") else watermark.number("after"),
        quarantined_before=fields.whole("quarantined_before"),
        contents=tuple(fields.texts("contents")) if fields.has("contents") else None,
        older_contents=fields.whole("older_contents") if fields.has("older_contents") else None,
        dms=_dms_from_json(fields.nested("dms")) if fields.has("dms") else None,
    )


def _dms_from_json(fields: Fields) -> DmsState:
    applied = []
    for one in fields.lists("applied"):
        name, size, tag = one
        if not (isinstance(name, str) and isinstance(size, int) and isinstance(tag, str)):
            raise ValueError("dms.applied is wrong")
        applied.append(AppliedFile(name, size, tag))
    epoch = fields.nested("epoch")
    return DmsState(
        kind=epoch.one_of("kind", "load", "start"),
        started=parse_time(epoch.text("started")),
        sequence=None if fields.is_null("sequence") else fields.text("sequence"),
        applied=tuple(applied),
        since=parse_time(fields.text("since")) if fields.has("since") else None,
    )


def _input_from_json(fields: Fields) -> PlanInput:
    return PlanInput(
        kind=fields.one_of("kind", "load", "changes", "loose"),
        key=fields.text("key"),
        size=fields.whole("size"),
        tag=fields.text("tag"),
        first=fields.number("first") if fields.has("first") else None,
        last=fields.number("last") if fields.has("last") else None,
        rows=fields.whole("rows") if fields.has("rows") else None,
    )


def _epoch_from_json(fields: Fields) -> Epoch:
    kind = fields.one_of("kind", "load", "truncate", "start")
    return Epoch(kind, fields.number("number"), fields.whole("suffix"))


def read_plan(lake: Store, table: TableName, seq: int) -> Plan:
    """Raises `ledger.missing` or `ledger.corrupt`: without it nobody knows where the table stands."""
    key = plan_key(table, seq)
    body = lake.get_if_present(key)
    doing = f"reading where {table} stands: {lake.location}/{key}"
    hint = f"bring the file back from a copy, or load the table again: cdc reload {table}"
    if body is None:
        raise CdcError("ledger.missing", f"{doing} is gone, and the table's log names it", hint)
    try:
        return parse_plan(body)
    except ValueError as error:
        raise CdcError("ledger.corrupt", f"{doing} is not a plan ({error})", hint) from error


def read_state(lake: Store, table: TableName, txn_version: int | None) -> Plan | None:
    """The plan that the table's log names in `txn[appId]`; None before the table's first batch."""
    return None if txn_version is None else read_plan(lake, table, txn_version)


def standing_of(state: Plan | None) -> Standing | None:
    """Where the table stands after that plan. Raises `lake.loose`."""
    if state is None:
        return None
    if state.watermark_after is None:
        raise CdcError(
            "lake.loose",
            f"merging {state.definition.name}: its lake table was made from loose files, which have no numbers",
            "use another lake folder for the pipeline",
        )
    return Standing(state.watermark_after, state.epoch, state.definition)


def put_plan(lake: Store, draft: Plan, target_schema: Sequence[LakeColumn]) -> Plan:
    """Writes the plan under the next free number after `previous` and every plan that is there; returns it with the number."""
    table = draft.definition.name
    after = None if draft.previous is None else plan_key(table, draft.previous)
    later = [seq_of_key(one.key) for one in lake.list(batch_folder(table), after)]
    seq = max([draft.previous or 0, *later]) + 1
    while True:
        numbered = replace(draft, seq=seq)
        # Put-if-absent: two writers never share a number, so the log's txn names one plan.
        if lake.put_if_absent(plan_key(table, seq), format_plan(numbered, target_schema)):
            return numbered
        seq += 1
