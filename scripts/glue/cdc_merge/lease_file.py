"""The files of a lease: `<folder><generation>.json`, of which only the highest counts. FORMAT.md beside src/core/store states them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .definition import without_none
from .json_fields import Fields
from .process_identity import ProcessIdentity
from .store import Store, StoredObject


@dataclass(frozen=True)
class LeaseHolder:
    identity: ProcessIdentity
    engine: str
    """`cdc` or `spark`."""
    run_id: str
    """Of the run, for reports; the Glue run's where Glue runs it."""
    lease_id: str
    """Of one acquisition, so that a holder knows its own files."""
    since: str
    """When it was acquired."""
    job: str | None = None
    """The Glue job whose run `run_id` is; None elsewhere."""


@dataclass(frozen=True)
class LeaseGeneration:
    generation: int
    written: datetime
    """By the store's clock."""
    state: str
    """`held`, `released`, or `unreadable`: left by another version or a torn write."""
    holder: LeaseHolder | None
    """None where it is unreadable."""
    reason: str = ""
    """Why it is unreadable."""


def format_lease(state: str, holder: LeaseHolder) -> str:
    """Byte for byte what the TypeScript engine writes."""
    identity = holder.identity
    fields: dict[str, Any] = {
        "format": 1,
        "state": state,
        "host": identity.host,
        "pid": identity.pid,
        "started": identity.started,
        "boot": identity.boot,
        "machine": identity.machine,
        "engine": holder.engine,
        "since": holder.since,
        "job": holder.job,
        "run_id": holder.run_id,
        "lease_id": holder.lease_id,
    }
    return json.dumps(without_none(fields), ensure_ascii=False, separators=(",", ":"))


def parse_lease(body: bytes) -> tuple[str, LeaseHolder]:
    """Raises ValueError for what is no lease of this version."""
    fields = Fields(json.loads(body))
    fields.expect("format", 1)
    holder = LeaseHolder(
        identity=ProcessIdentity(
            fields.text("host"),
            fields.whole("pid"),
            _optional(fields, "started"),
            _optional(fields, "boot"),
            _optional(fields, "machine"),
        ),
        engine=fields.one_of("engine", "cdc", "spark"),
        run_id=fields.text("run_id"),
        lease_id=fields.text("lease_id"),
        since=fields.text("since"),
        job=_optional(fields, "job"),
    )
    return fields.one_of("state", "held", "released"), holder


def _optional(fields: Fields, name: str) -> str | None:
    return fields.text(name) if fields.has(name) else None


def lease_key(folder: str, generation: int) -> str:
    """20 digits, so that a listing shows the highest last."""
    return f"{folder}{generation:020d}.json"


def list_generations(store: Store, folder: str) -> list[tuple[int, StoredObject]]:
    found = []
    for one in store.list(folder):
        match = re.fullmatch(r"([0-9]+)\.json", one.key[len(folder) :])
        if match is not None:
            found.append((int(match[1]), one))
    return sorted(found, key=lambda pair: pair[0])


def highest_generation(store: Store, folder: str) -> LeaseGeneration | None:
    """The generation that counts; None where no one ever held it."""
    while True:
        generations = list_generations(store, folder)
        if not generations:
            return None
        generation, one = generations[-1]
        body = store.get_if_present(one.key)
        # Gone: it is not the highest any more.
        if body is None:
            continue
        try:
            state, holder = parse_lease(body)
        except ValueError as error:
            return LeaseGeneration(generation, one.modified, "unreadable", None, str(error))
        return LeaseGeneration(generation, one.modified, state, holder)
