"""What cannot be seen in files that DMS wrote: `_cdc/dialect.json` in staging."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .errors import CdcError
from .json_fields import Fields
from .store import Store

DIALECT_KEY = "_cdc/dialect.json"


@dataclass(frozen=True)
class Dialect:
    null: str | None
    """The text that stands for NULL. None: an empty field is NULL, but '' in a NOT NULL text column."""
    timestamp_column: str | None
    """DMS: TimestampColumnName; the column stands after Op."""
    header: bool | None
    """False: no file has a header."""
    frozen: bool
    """Nobody changes the columns of a table: without it no file without a header is merged."""


def read_dialect(staging: Store) -> Dialect:
    """How DMS writes into this staging. Raises `dialect.missing` and `dialect.corrupt`: nothing is guessed."""
    body = staging.get_if_present(DIALECT_KEY)
    doing = f"reading files of DMS: {staging.location}/{DIALECT_KEY}"
    if body is None:
        raise CdcError(
            "dialect.missing",
            f"{doing} is not there, and without it NULL cannot be told from a text",
            "bring it back from a copy; cdc init writes it",
        )
    try:
        return _parse(Fields(json.loads(body)))
    except ValueError as error:
        raise CdcError(
            "dialect.corrupt",
            f"{doing} is no dialect of ours",
            "bring it back from a copy: files in staging cannot be read without it",
        ) from error


def _parse(fields: Fields) -> Dialect:
    fields.expect("format", 1)
    frozen = fields.has("ddl")
    if frozen:
        fields.expect("ddl", "frozen")
    return Dialect(
        null=fields.text("null") if fields.has("null") else None,
        timestamp_column=fields.text("timestamp_column") if fields.has("timestamp_column") else None,
        header=fields.flag("header") if fields.has("header") else None,
        frozen=frozen,
    )
