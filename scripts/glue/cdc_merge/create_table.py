"""The first version of a lake table that Spark makes: its columns and properties, no rows.

Spark cannot give a table in a folder that is not empty (`_cdc/` is there) properties and rows in one commit. So the table
begins empty and without a `txn`: whoever is killed after this has made an empty table of ours, and its first batch follows.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence

from .definition import LakeColumn
from .layout import TableName, table_folder
from .store import Store

_RETENTION = {
    "delta.logRetentionDuration": "interval 1 day",
    "delta.deletedFileRetentionDuration": "interval 1 day",
}


def format_schema(columns: Sequence[LakeColumn]) -> str:
    """Every column is nullable: NOT NULL would oblige each writer to check it."""
    fields = [{"name": one.lake, "type": one.delta, "nullable": True, "metadata": {}} for one in columns]
    return _json({"type": "struct", "fields": fields})


def create_lake_table(
    lake: Store, table: TableName, columns: Sequence[LakeColumn], properties: Mapping[str, str]
) -> bool:
    """Protocol 1/2: every reader there is can read the table. False when someone else has made it."""
    now = round(lake.now().timestamp() * 1000)
    actions = [
        {
            "commitInfo": {
                "timestamp": now,
                "operation": "CREATE TABLE",
                "operationParameters": {},
                "isBlindAppend": False,
                "engineInfo": "cdc",
                "txnId": str(uuid.uuid4()),
            }
        },
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": str(uuid.uuid4()),
                "format": {"provider": "parquet", "options": {}},
                "schemaString": format_schema(columns),
                "partitionColumns": [],
                "createdTime": now,
                "configuration": {**_RETENTION, **properties},
            }
        },
    ]
    body = "".join(f"{_json(action)}\n" for action in actions)
    return lake.put_if_absent(f"{table_folder(table)}_delta_log/{0:020d}.json", body)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
