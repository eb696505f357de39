"""Asks DMS about loads that nobody has waited for, and writes down those that are complete (as src/core/pipeline/aws-run has it)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .dms_epoch import DmsEpoch, complete_epoch
from .errors import CdcError
from .layout import TableName
from .store import Store, StoredObject

_BROKEN = {
    "Table error": "DMS stopped it after an error",
    "Table cancelled": "its load was cancelled",
    "Table does not exist": "the source has no such table any more",
}
"""States that never get better by themselves."""


@dataclass(frozen=True)
class Patience:
    """How long a run asks again. The event of a load's last file comes some seconds before DMS calls the table complete, and
    a run is paid for by the second: what takes longer is left to the next file's event, or to the hourly run."""

    every_seconds: float = 5.0
    round_seconds: float = 30.0
    """After these all tables are looked at again: an event that comes meanwhile finds this run at work."""
    run_seconds: float = 120.0
    file_seconds: float = 600.0
    """Only while the newest LOAD file is younger: where nothing was written for so long, no load is about to be complete."""


@dataclass(frozen=True)
class _Incomplete:
    why: str
    may_pass: bool = True
    """In a moment the answer may be another."""


class DmsLoads:
    """The open loads of one run of the job."""

    def __init__(self, patience: Patience = Patience()) -> None:
        self._patience = patience
        self._slept = 0.0
        self._soon: dict[TableName, tuple[Store, DmsEpoch]] = {}
        """Those that may be complete at any moment."""
        self._silent: dict[str, str] = {}
        """By ARN: why DMS does not answer; it is asked no more."""
        self._clients: dict[str, Any] = {}

    def ask(self, staging: Store, table: TableName, epoch: DmsEpoch, files: list[StoredObject]) -> DmsEpoch | str | None:
        """The epoch, complete by now and written down as that; or why it is not, in a few words. None: the epoch does not say
        whom to ask. `files`: the LOAD files that are there."""
        self._soon.pop(table, None)
        if epoch.task_arn is None:
            return None
        answer = self._look(staging, table, epoch, epoch.task_arn)
        if isinstance(answer, DmsEpoch):
            return answer
        newest = max((one.modified for one in files), default=None)
        if answer.may_pass and newest is not None:
            if staging.now() - newest < timedelta(seconds=self._patience.file_seconds):
                self._soon[table] = staging, epoch
        return answer.why

    def wait(self) -> bool:
        """False when no load is about to be complete, or the run has waited long enough. Else it sleeps until one is, or until
        all tables are to be looked at again."""
        patience = self._patience
        until = min(self._slept + patience.round_seconds, patience.run_seconds)
        if not self._soon or self._slept >= until:
            return False
        while self._slept < until and self._soon:
            time.sleep(patience.every_seconds)
            self._slept += patience.every_seconds
            for table, (staging, epoch) in list(self._soon.items()):
                try:
                    answer = self._look(staging, table, epoch, epoch.task_arn or "")
                except CdcError:
                    # The next look at this table says it again, of this table alone.
                    answer = None
                if isinstance(answer, _Incomplete) and answer.may_pass:
                    continue
                del self._soon[table]
                if isinstance(answer, DmsEpoch):
                    return True
        return True

    def _look(self, staging: Store, table: TableName, epoch: DmsEpoch, arn: str) -> DmsEpoch | _Incomplete:
        if arn not in self._silent:
            try:
                # Imported, and needed, only here.
                from botocore.exceptions import BotoCoreError, ClientError

                try:
                    for row in self._statistics(arn, table):
                        if (row["SchemaName"], row["TableName"]) == (table.schema, table.table):
                            return _judge(staging, table, epoch, row)
                    return _Incomplete(f"the replication task {epoch.task} does not have it", may_pass=False)
                except (BotoCoreError, ClientError) as error:
                    self._silent[arn] = str(error)
            except ImportError as error:
                self._silent[arn] = str(error)
        return _Incomplete(f"DMS could not be asked: {self._silent[arn]}", may_pass=False)

    def _statistics(self, arn: str, table: TableName) -> Iterator[dict[str, Any]]:
        """DMS may take the names for patterns."""
        filters = [{"Name": "schema-name", "Values": [table.schema]}, {"Name": "table-name", "Values": [table.table]}]
        request: dict[str, Any] = {"ReplicationTaskArn": arn, "Filters": filters}
        while True:
            page = self._client(arn).describe_table_statistics(**request)
            yield from page.get("TableStatistics", ())
            if not page.get("Marker"):
                return
            request["Marker"] = page["Marker"]

    def _client(self, arn: str) -> Any:
        if arn not in self._clients:
            import boto3
            from botocore.config import Config

            # Short: whoever cannot reach DMS is to say so, and merge what can be merged.
            retries = {"total_max_attempts": 3, "mode": "standard"}
            config = Config(retries=retries, connect_timeout=5, read_timeout=20)
            self._clients[arn] = boto3.client("dms", region_name=arn.split(":")[3], config=config)
        return self._clients[arn]


def _judge(staging: Store, table: TableName, epoch: DmsEpoch, row: dict[str, Any]) -> DmsEpoch | _Incomplete:
    state, loaded = row.get("TableState", "unknown"), row.get("FullLoadRows", 0)
    lost = row.get("FullLoadErrorRows", 0) + row.get("FullLoadCondtnlChkFailedRows", 0)
    trouble = _BROKEN.get(state) or (f"{lost} of its rows were not written" if lost > 0 else None)
    if trouble is not None:
        return _Incomplete(f"{trouble} ({state})", may_pass=False)
    if state != "Table completed":
        return _Incomplete(f"DMS says: {state}")
    ended = row.get("FullLoadEndTime")
    # An earlier load of the table says nothing of this one.
    if not epoch.first_run and (ended is None or ended < epoch.started.replace(microsecond=0)):
        return _Incomplete("DMS shows an earlier load of it")
    # Of a reload DMS may count the rows of the loads before it too.
    rows = None if row.get("FullLoadReloaded") and loaded > 0 else loaded
    return complete_epoch(staging, table, epoch, rows) or _Incomplete("its epoch is being changed")
