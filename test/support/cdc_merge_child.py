"""Answers the tests' questions to scripts/glue/cdc_merge: one JSON object a line in, one out, several under way at a time.

With the argument `hold LAKE SCHEMA TABLE` it takes that table's lease instead, says `held`, and waits for a signal.
"""

import base64
import json
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "glue"))

from cdc_merge import lease as leases  # noqa: E402
from cdc_merge.batch_engine import BatchEffect  # noqa: E402
from cdc_merge.csv_range import read_number_range  # noqa: E402
from cdc_merge.definition import LakeColumn, is_delta_type  # noqa: E402
from cdc_merge.dms_loads import DmsLoads, Patience  # noqa: E402
from cdc_merge.dms_scan import scan_strictly  # noqa: E402
from cdc_merge.errors import CdcError  # noqa: E402
from cdc_merge.folder_store import FolderStore  # noqa: E402
from cdc_merge.inputs import assert_unchanged  # noqa: E402
from cdc_merge.lake_snapshot import LakeSnapshot  # noqa: E402
from cdc_merge.layout import TableName, table_folder  # noqa: E402
from cdc_merge.ledger import format_plan, parse_plan, plan_key  # noqa: E402
from cdc_merge.merge_lease import cancelled_by_signals, merge_lease_of  # noqa: E402
from cdc_merge.merge_table import MergeOptions, merge_table  # noqa: E402
from cdc_merge.open_store import open_store  # noqa: E402
from cdc_merge.process_identity import ProcessIdentity, own_identity  # noqa: E402
from cdc_merge.spark_error import spark_message  # noqa: E402
from cdc_merge.staged import list_staged_tables  # noqa: E402


class Stopped(Exception):
    """Stands for what only an engine finds: a row that does not fit."""


class RowlessEngine:
    """Commits batches without rows: the table's version, columns and txn are kept in this object alone."""

    def __init__(self, snapshot, stop_at):
        self.now = snapshot
        self.stop_at = stop_at
        self.scanned = set()

    def snapshot(self, _table):
        return self.now

    def scan(self, files):
        for one in files:
            # However often a run looks again.
            assert (one.key, one.size) not in self.scanned, f"{one.key} is looked through a second time"
            self.scanned.add((one.key, one.size))
        return [scan_strictly(one) for one in files]

    def run(self, batch, plan, snapshot, lease):
        if plan.seq == self.stop_at:
            raise Stopped
        assert_unchanged(batch.inputs)
        lease.assert_held()
        target = batch.target
        fields = [
            {"name": one.lake, "type": one.delta, "nullable": True, "metadata": {}}
            for one in target.columns
            if is_delta_type(one.delta)
        ]
        before = snapshot or LakeSnapshot(-1, "", {})
        self.now = LakeSnapshot(
            before.version + 1,
            json.dumps({"type": "struct", "fields": fields}),
            {**before.configuration, **target.properties},
            {**before.txns, plan.app_id: plan.seq},
        )
        return BatchEffect(0, 0, 0, 0, 0)


def merge(question):
    table = TableName(question["schema"], question["table"])
    lake = open_store(question["lake"])
    given = question.get("snapshot")
    engine = RowlessEngine(None if given is None else LakeSnapshot(**given), question.get("stop_at"))
    staging = open_store(question["staging"])
    patience = question.get("patience")
    loads = DmsLoads(Patience(**(patience or {})))
    options = MergeOptions(
        staging=staging,
        lake=lake,
        app_id=question["app_id"],
        unfit=question.get("unfit", "fail"),
        mode=question.get("mode", "merge"),
        up_to=question.get("up_to"),
        gap_wait_seconds=question.get("gap_wait_seconds", 300.0),
        ask_load=None if patience is None else partial(loads.ask, staging),
    )
    answer = {"error": None, "report": None, "stopped": False}
    try:
        wait = question.get("lease_wait_seconds", 30)
        lease_of = partial(merge_lease_of, lake, table, leases.Run(), stop_work=int, wait_seconds=wait)
        report = merge_table(options, table, engine, lease_of)
        while loads.wait():
            report = merge_table(options, table, engine, lease_of).after(report)
        answer["report"] = report.to_json() | {"watermark": report.watermark and str(report.watermark)}
    except Stopped:
        answer["stopped"] = True
    except CdcError as error:
        answer["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
    now = engine.now
    answer["snapshot"] = None if now is None else {**asdict(now), "txns": dict(now.txns)}
    return answer


@cache
def opened_store(location, hard_links):
    return open_store(location) if hard_links is None else FolderStore(location, hard_links)


def store(question):
    opened = opened_store(question["location"], question.get("hard_links"))
    arguments = dict(question["arguments"])
    if "body" in arguments:
        arguments["body"] = base64.b64decode(arguments["body"])
    result = getattr(opened, question["method"])(**arguments)
    return to_json(result)


def to_json(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [to_json(one) for one in value]
    if hasattr(value, "modified"):
        return {"key": value.key, "size": value.size, "modified": value.modified.timestamp() * 1000, "tag": value.tag}
    return value.timestamp() * 1000 if hasattr(value, "timestamp") else value


held = {}


def acquire(question):
    run = leases.Run(
        run_id=question.get("run_id", "a run"),
        job=question.get("job"),
        engine=question.get("engine", "spark"),
        identity=ProcessIdentity(**question["identity"]) if "identity" in question else own_identity(),
    )
    over = question.get("over")
    lease = leases.acquire_lease(
        open_store(question["location"]),
        question["folder"],
        run,
        take_over=question.get("take_over", False),
        run_is_over=None if over is None else lambda holder: holder.run_id in over,
    )
    name = str(uuid.uuid4())
    held[name] = lease
    return {"name": name, "generation": lease.generation}


def use_lease(question):
    lease = held[question["name"]]
    getattr(lease, question["act"])()
    return {"generation": lease.generation, "lost": lease.lost}


def rewrite_plan(question):
    """A plan's text read and written again."""
    body = question["body"]
    columns = [LakeColumn(one["name"], one["type"]) for one in json.loads(body)["target_schema"]]
    plan = parse_plan(body.encode())
    return {"text": format_plan(replace(plan), columns), "key": plan_key(plan.definition.name, plan.seq)}


def set_pace(question):
    leases.RENEW_EVERY_SECONDS = question["renew_every_seconds"]


def folders(question):
    """The tables of a staging folder, and the folder of each."""
    tables = list_staged_tables(open_store(question["location"]))
    return [{"schema": one.schema, "table": one.table, "folder": table_folder(one)} for one in tables]


def number_range(question):
    found = read_number_range(open_store(question["location"]), question["key"], question["size"])
    return {"first": found.first and str(found.first), "last": found.last and str(found.last)}


def say_failure(question):
    return spark_message(Exception(question["text"]))


QUESTIONS = (merge, store, acquire, use_lease, rewrite_plan, set_pace, folders, number_range, say_failure)
ANSWERS = {one.__name__: one for one in QUESTIONS}
printing = threading.Lock()


def answer(line):
    question = json.loads(line)
    reply = {"id": question["id"]}
    try:
        reply["result"] = ANSWERS[question["op"]](question)
    except CdcError as error:
        reply["failure"] = {"code": error.code, "message": error.message, "hint": error.hint}
    except Exception as error:
        reply["error"] = f"{type(error).__name__}: {error}"
    with printing:
        print(json.dumps(reply), flush=True)


def hold(lake, schema, table):
    def stop_work():
        print("work stopped", flush=True)

    with (
        cancelled_by_signals(),
        merge_lease_of(open_store(lake), TableName(schema, table), leases.Run(), stop_work=stop_work),
    ):
        print("held", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        hold(*sys.argv[2:])
    else:
        with ThreadPoolExecutor(8) as pool:
            for each in sys.stdin:
                pool.submit(answer, each)
