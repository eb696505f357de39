"""The record that makes a load count: `_cdc/loads/<schema>/<table>/<number>.json`; LOAD files that no record lists do not exist."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime

from .definition import TableDefinition, definition_from_json
from .errors import CdcError
from .json_fields import Fields
from .layout import TableName, load_record_folder
from .store import Store


@dataclass(frozen=True)
class LoadFile:
    key: str
    """Relative to staging."""
    size: int
    rows: int


@dataclass(frozen=True)
class LoadRecord:
    kind: str
    """`load`: a full load; `truncate`: the table was emptied at this number; `start`: followed without a load."""
    number: int
    """The number the load stands at; changes up to it are part of it."""
    definition: TableDefinition
    """The table as the load read it."""
    files: tuple[LoadFile, ...]
    key: str
    suffix: int
    """1, or the `2`, `3` … of a later record at the same number."""
    modified: datetime
    """When it was published."""

    @property
    def rank(self) -> tuple[int, int]:
        """Epochs are ordered by it."""
        return (self.number, self.suffix)


def read_load_records(staging: Store, table: TableName) -> list[LoadRecord]:
    """All records of a table by number, then by suffix: the order in which they replace the table."""
    records = []
    for one in staging.list(load_record_folder(table)):
        body = staging.get(one.key)
        try:
            records.append(_parse(body, one.key, one.modified))
        except ValueError as error:
            raise CdcError(
                "load.corrupt",
                f"reading {staging.location}/{one.key}: it is not the record of a load ({error})",
                f"cdc reload {table}",
            ) from error
    return sorted(records, key=lambda record: record.rank)


def _parse(body: bytes, key: str, modified: datetime) -> LoadRecord:
    fields = Fields(json.loads(body))
    fields.expect("format", 1)
    # As every version has written them; only checked.
    fields.text("schema"), fields.text("table"), fields.text("position")
    suffix = re.search(r"-([0-9]+)\.json\Z", key)
    return LoadRecord(
        kind=fields.one_of("kind", "load", "truncate", "start"),
        number=fields.number("number"),
        definition=definition_from_json(fields.nested("definition")),
        files=tuple(
            LoadFile(file.text("key"), file.whole("size"), file.whole("rows")) for file in fields.objects("files")
        ),
        key=key,
        suffix=1 if suffix is None else int(suffix[1]),
        modified=modified,
    )
