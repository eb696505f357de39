"""The arguments of merge_changes.py, the same from Glue, spark-submit and `cdc merge --engine spark`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import CdcError
from .layout import TableName, read_table_name
from .table_pattern import matches_pattern

_NEEDED = ("staging", "lake", "pipeline")
_FLAGS = ("take_over", "load_complete")


@dataclass(frozen=True)
class JobArguments:
    staging: str
    lake: str
    pipeline: str
    """Its name is in the `txn` of every merge."""
    tables: tuple[TableName, ...]
    """Empty: all that staging knows."""
    append: tuple[str, ...]
    """Patterns of tables that keep their history."""
    file: str | None
    unfit: str
    take_over: bool
    load_complete: bool
    """A load of DMS counts although nobody has recorded that it is complete."""
    job: str | None
    """The Glue job whose run this is."""
    run_id: str | None

    def mode_of(self, table: TableName) -> str:
        return "append" if any(matches_pattern(pattern, table) for pattern in self.append) else "merge"


def read_arguments(argv: Sequence[str]) -> JobArguments:
    """Raises CdcError `job.arguments`."""
    # What else Glue passes to its scripts is not for us.
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for name in (*_NEEDED, "tables", "append", "file", "unfit", *_FLAGS, "JOB_NAME", "JOB_RUN_ID"):
        parser.add_argument(f"--{name}")
    given = parser.parse_known_args(list(argv[1:]))[0]
    for name in _NEEDED:
        if getattr(given, name) is None:
            raise _wrong(f"--{name} is missing")
    if given.unfit not in (None, "fail", "quarantine"):
        raise _wrong(f'--unfit is "{given.unfit}", expected fail or quarantine')
    for name in _FLAGS:
        if getattr(given, name) not in (None, "true", "false"):
            raise _wrong(f'--{name} is "{getattr(given, name)}", expected true or false')
    return JobArguments(
        staging=given.staging,
        lake=given.lake,
        pipeline=given.pipeline,
        tables=tuple(_table(name) for name in _list(given.tables)),
        append=tuple(_list(given.append)),
        file=given.file,
        unfit=given.unfit or "fail",
        take_over=given.take_over == "true",
        load_complete=given.load_complete == "true",
        job=given.JOB_NAME if given.JOB_RUN_ID else None,
        run_id=given.JOB_RUN_ID,
    )


def _list(text: str | None) -> list[str]:
    """Names separated by commas; as JSON where one of them has a comma in it."""
    if text is None:
        return []
    is_json = text == "[]" or text.startswith('["')
    return list(json.loads(text)) if is_json else [part.strip() for part in text.split(",")]


def _table(name: str) -> TableName:
    table = read_table_name(name)
    if table is None:
        raise _wrong(f'--tables has "{name}", which is no name as shop.orders')
    return table


def _wrong(why: str) -> CdcError:
    return CdcError("job.arguments", f"starting the merge: {why}", "the head of merge_changes.py says what it takes")
