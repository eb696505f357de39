"""What a Delta log's own files say of version, protocol, metadata and ledger: the commits since the newest checkpoint, and that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from .errors import CdcError
from .lake_snapshot import LakeSnapshot
from .store import Store, StoredObject

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10}))?\.parquet")
_ANY_CHECKPOINT = re.compile(r"\d{20}\.checkpoint\..*")
_FEATURES_SINCE = 7
"""The writer version from which on a table may have features that change what these files mean."""

_CHECKPOINT_SCHEMA = (
    "protocol struct<minReaderVersion: int, minWriterVersion: int>, "
    "metaData struct<schemaString: string, configuration: map<string, string>>, "
    "txn struct<appId: string, version: bigint>"
)
_ACTIONS = ("protocol", "metaData", "txn")

Action = tuple[str, Mapping[str, Any]]


class NotPlain(Exception):
    """The log is not whole, or of a kind that only Delta itself reads rightly."""


@dataclass
class KnownLog:
    """Actions of files that have been read in this run: they never change."""

    actions: dict[object, list[Action]] = field(default_factory=dict)


def read_plain_log(store: Store, folder: str, known: KnownLog, spark: SparkSession) -> LakeSnapshot | None:
    """None where there is no table. `folder`: the key of its `_delta_log/`. Raises NotPlain."""
    commits, checkpoints = _list_log(store, folder)
    if not commits and not checkpoints:
        return None
    start = max(checkpoints, default=-1)
    version = max([start, *commits])
    actions = list(_read_checkpoint(store, checkpoints[start], known, spark)) if checkpoints else []
    for number in range(start + 1, version + 1):
        if number not in commits:
            raise NotPlain
        actions += _read_commit(store, commits[number], known)
    return _replay(version, actions)


def _list_log(store: Store, folder: str) -> tuple[dict[int, StoredObject], dict[int, list[StoredObject]]]:
    """Commits by version, and the whole checkpoints among what is there since the one that the log's hint names."""
    commits: dict[int, StoredObject] = {}
    parts: dict[int, list[StoredObject]] = {}
    expected: dict[int, int] = {}
    for one in store.list(folder, after=f"{folder}{_hint(store, folder):020d}"):
        name = one.key[len(folder) :]
        if match := _COMMIT.fullmatch(name):
            commits[int(match[1])] = one
        elif match := _CHECKPOINT.fullmatch(name):
            parts.setdefault(int(match[1]), []).append(one)
            expected[int(match[1])] = int(match[2] or 1)
        elif _ANY_CHECKPOINT.fullmatch(name):
            raise NotPlain
    return commits, {version: found for version, found in parts.items() if len(found) == expected[version]}


def _hint(store: Store, folder: str) -> int:
    """The version of a checkpoint to begin the listing at: all that counts is there or later."""
    body = store.get_if_present(f"{folder}_last_checkpoint")
    if body is None:
        return 0
    try:
        return int(json.loads(body)["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotPlain from error


def _read_commit(store: Store, commit: StoredObject, known: KnownLog) -> list[Action]:
    if commit not in known.actions:
        try:
            lines = store.get(commit.key).decode().splitlines()
            found = [item for line in lines if line for item in json.loads(line).items() if item[0] in _ACTIONS]
        except (CdcError, ValueError, AttributeError) as error:
            # Cleaned away since it was listed, or broken: Delta finds its way, or says what is wrong.
            raise NotPlain from error
        known.actions[commit] = found
    return known.actions[commit]


def _read_checkpoint(store: Store, parts: Sequence[StoredObject], known: KnownLog, spark: SparkSession) -> list[Action]:
    name = tuple(parts)
    if name not in known.actions:
        files = spark.read.schema(_CHECKPOINT_SCHEMA).parquet(*[store.uri(part.key) for part in parts])
        rows = files.where(" OR ".join(f"{action} IS NOT NULL" for action in _ACTIONS)).collect()
        known.actions[name] = [item for row in rows for item in row.asDict(True).items() if item[1] is not None]
    return known.actions[name]


def _replay(version: int, actions: Iterable[Action]) -> LakeSnapshot:
    protocol: Mapping[str, Any] | None = None
    meta: Mapping[str, Any] | None = None
    txns: dict[str, int] = {}
    for kind, action in actions:
        if kind == "protocol":
            protocol = action
        elif kind == "metaData":
            meta = action
        else:
            txns[action["appId"]] = action["version"]
    if protocol is None or meta is None or protocol["minWriterVersion"] >= _FEATURES_SINCE:
        raise NotPlain
    return LakeSnapshot(version, meta["schemaString"], meta.get("configuration") or {}, txns)
