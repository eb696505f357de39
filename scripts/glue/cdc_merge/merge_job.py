"""One run of the job: every table's pending files, one table after another, and the report of it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from .dms_loads import DmsLoads
from .errors import CdcError
from .glue_run import glue_run_is_over
from .job_arguments import JobArguments
from .layout import TableName, name_of_folder
from .lease import Lease, Run
from .look import AskLoad
from .merge_lease import merge_lease_of
from .merge_table import MergeOptions, TableReport, merge_table
from .names import parse_staged_name
from .open_store import open_store
from .spark_engine import SparkEngine
from .spark_error import spark_message
from .staged import list_staged_tables
from .store import Store


def run_job(spark: SparkSession, arguments: JobArguments, log: Callable[[str], None]) -> dict[str, Any]:
    """The report, as `cdc merge --json` prints it; a table that failed has its `error` in it and holds up no other."""
    staging, lake = open_store(arguments.staging), open_store(arguments.lake)
    engine = SparkEngine(spark, lake)
    run = _run_of(arguments, engine)
    tables = _choose(arguments, staging)
    loads = DmsLoads()
    options = {table: _options_of(arguments, table, staging, lake, partial(loads.ask, staging), log) for table in tables}
    reports: dict[TableName, TableReport] = {}
    failures: dict[TableName, dict[str, Any]] = {}
    # How many tables were found with nothing pending since the run's last commit. A file of one table may land while
    # another one is merged; its event has found this run at work, so each table is listed again after the last commit.
    quiet = 0
    for table in itertools.cycle(tables):
        if quiet == len(tables):
            if not loads.wait():
                break
            quiet = 0
        quiet += 1
        if table in failures:
            continue
        started = time.monotonic()
        report, error, why = TableReport(table), None, ""
        try:
            lease = partial(_lease_of, arguments, table, lake, engine, run)
            merge_table(options[table], table, engine, lease, report)
        except CdcError as failure:
            error, why = failure, failure.message
        except Exception as failure:
            error, why = CdcError("spark.failed", f"merging {table}: {spark_message(failure)}"), str(failure)
        report.seconds = round(time.monotonic() - started, 3)
        is_new = table not in reports or report.waiting != reports[table].waiting
        if report.batches > 0 or (error is None and is_new):
            log(_sentence(report))
        if report.batches > 0:
            quiet = 0
        reports[table] = report.after(reports[table]) if table in reports else report
        if error is not None:
            failures[table] = _failed(reports[table], error)
            log(f"{table}: {why}")
    of_tables = [failures[table] if table in failures else reports[table].to_json() for table in tables]
    return {"tables": of_tables, "engine": "spark"}


def _run_of(arguments: JobArguments, engine: SparkEngine) -> Run:
    identity = engine.identity()
    if arguments.run_id is None:
        return Run(identity=identity)
    return Run(run_id=arguments.run_id, job=arguments.job, identity=identity)


def _choose(arguments: JobArguments, staging: Store) -> Sequence[TableName]:
    if arguments.file is not None:
        return [_table_of(arguments.file)]
    there = list_staged_tables(staging)
    for table in arguments.tables:
        if table not in there:
            raise CdcError("table.unknown", f"looking for {table}: staging holds nothing of it", "cdc replicate")
    return arguments.tables or there


def _table_of(key: str) -> TableName:
    """The table whose folder a key of staging lies in."""
    schema, table, *rest = [*key.split("/"), "", ""]
    if schema in ("", "_cdc") or parse_staged_name("/".join(rest).rstrip("/")) is None:
        raise CdcError("file.unknown", f"looking for {key}: it is no change file of a table", "cdc files   # lists them")
    return TableName(name_of_folder(schema), name_of_folder(table))


def _options_of(
    arguments: JobArguments,
    table: TableName,
    staging: Store,
    lake: Store,
    ask_load: AskLoad,
    log: Callable[[str], None],
) -> MergeOptions:
    return MergeOptions(
        staging=staging,
        lake=lake,
        # Fixed per pipeline and table: it names our merges in the Delta log's `txn`, whichever engine merges.
        app_id=f"cdc/{arguments.pipeline}/{table}",
        unfit=arguments.unfit,
        mode=arguments.mode_of(table),
        up_to=arguments.file,
        load_complete=arguments.load_complete,
        ask_load=ask_load,
        log=log,
    )


def _lease_of(
    arguments: JobArguments, table: TableName, lake: Store, engine: SparkEngine, run: Run
) -> AbstractContextManager[Lease]:
    return merge_lease_of(
        lake,
        table,
        run,
        stop_work=engine.stop_work,
        take_over=arguments.take_over,
        run_is_over=glue_run_is_over,
    )


def _sentence(report: TableReport) -> str:
    if report.batches == 0:
        return f"{report.table}: {report.waiting or 'nothing is pending'}"
    return (
        f"{report.table}: {report.files} files, {report.changes} changes; {report.inserted} rows inserted, "
        f"{report.updated} updated, {report.deleted} deleted; version {report.version}, {report.seconds:.1f} s"
        + (f"; {report.quarantined} rows in quarantine" if report.quarantined else "")
        + (f"; {report.waiting}" if report.waiting else "")
    )


def _failed(report: TableReport, error: CdcError) -> dict[str, Any]:
    """With what was committed before."""
    fields = {"code": error.code, "message": error.message}
    if error.hint is not None:
        fields["hint"] = error.hint
    return {**report.to_json(), "error": fields}


def failure_of(report: dict[str, Any]) -> str | None:
    """The first error of a report, for the run's own error message."""
    for table in report["tables"]:
        if "error" in table:
            return f"{table['error']['message']} ({table['error']['code']})"
    return None


def format_report(report: dict[str, Any]) -> str:
    return json.dumps(report, ensure_ascii=False, separators=(",", ":"))
