"""Where things lie in staging and lake; everything that builds a key asks here (as src/core/change-file/layout.ts)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from .change_number import format_change_number


@dataclass(frozen=True)
class TableName:
    """A table by its two names, as the source spells them."""

    schema: str
    table: str

    def __str__(self) -> str:
        """`shop.orders`; a dot in the schema's name is written `[.]`, so that the first bare dot always parts the two."""
        return re.sub(r"[.\[]", r"[\g<0>]", self.schema) + "." + self.table


def read_table_name(text: str) -> TableName | None:
    """Reads what str() of a table's name wrote; None for a text without both parts."""
    match = re.fullmatch(r"((?:\[[.\[]\]|[^.])+)\.(.+)", text, re.DOTALL)
    return None if match is None else TableName(re.sub(r"\[([.\[])\]", r"\1", match[1]), match[2])


_UNSAFE = re.compile("[^A-Za-z0-9_.$\u0080-\uffff-]")


def folder_name(name: str) -> str:
    """A name as a folder name: itself where that is safe, else percent-encoded, so that no name can leave its folder,
    hide (`.x`), or meet our own `_cdc` and Delta's `_delta_log`."""
    safe = _UNSAFE.sub(lambda match: quote(match[0], safe="!~*'()"), name)
    if safe.startswith(".") or safe in ("_cdc", "_delta_log"):
        return f"%{ord(safe[0]):X}{safe[1:]}"
    return safe


def name_of_folder(folder: str) -> str:
    """The name a folder stands for; that of a folder which somebody else made is taken as it is."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", folder):
        return folder
    try:
        return unquote(folder, errors="strict")
    except UnicodeDecodeError:
        return folder


def table_folder(table: TableName) -> str:
    """`shop/orders/`, the same in staging and lake."""
    return f"{folder_name(table.schema)}/{folder_name(table.table)}/"


def definition_folder(table: TableName) -> str:
    return f"_cdc/tables/{table_folder(table)}"


def definition_key(table: TableName, number: int) -> str:
    return f"{definition_folder(table)}{format_change_number(number)}.json"


def load_record_folder(table: TableName) -> str:
    return f"_cdc/loads/{table_folder(table)}"


def dms_epoch_folder(table: TableName) -> str:
    return f"_cdc/dms/{table_folder(table)}"


def batch_folder(table: TableName) -> str:
    """In the lake: the ledger's plans."""
    return f"{table_folder(table)}_cdc/batches/"


def merge_lease(table: TableName) -> str:
    """In the lake: the merge's lease."""
    return f"{table_folder(table)}_cdc/lease/"


def quarantine_folder(table: TableName) -> str:
    """In the lake: rows that did not fit."""
    return f"{table_folder(table)}_cdc/quarantine/"
