"""One writer at a time, over anything that can put-if-absent (contract: src/core/store/FORMAT.md): held by being the highest generation."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import CdcError
from .lease_file import (
    LeaseGeneration,
    LeaseHolder,
    format_lease,
    highest_generation,
    lease_key,
    list_generations,
    parse_lease,
)
from .process_identity import ProcessIdentity, is_gone, own_identity
from .store import Store
from .times import iso_time

RENEW_EVERY_SECONDS = 10.0
FREE_AFTER_SECONDS = 60.0
"""Twice the lease's 30 s after its last sign of life, one of the TypeScript engine is free. One of Spark never is by time:
its commit on S3 is not conditional, so one that comes late would overwrite another's."""
LOST_AFTER_SECONDS = 50.0
"""A holder that could not renew for so long stops before others may begin."""


@dataclass(frozen=True)
class Run:
    """Who asks for a lease."""

    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    job: str | None = None
    """The Glue job, where `run_id` is a run of Glue's."""
    engine: str = "spark"
    identity: ProcessIdentity | None = None
    """The process that commits, which is Spark's JVM where that is a process of its own; this one unless told."""


RunIsOver = Callable[[LeaseHolder], bool]
"""Whether Glue says that the run which holds a lease has ended."""


def acquire_lease(
    store: Store, folder: str, run: Run, *, take_over: bool = False, run_is_over: RunIsOver | None = None
) -> Lease:
    """Takes the lease or raises CdcError `lease.held` naming its holder. `take_over`: from whoever holds it, since the
    caller has asked a person."""
    lease_id = str(uuid.uuid4())
    while True:
        current = highest_generation(store, folder)
        if current is not None:
            # Our own of a moment ago, which a late listing did not show when it was written, stands in nobody's way.
            is_mine = current.state == "held" and current.holder is not None and current.holder.lease_id == lease_id
            if not (take_over or is_mine or _is_free(store, current, run_is_over)):
                raise _held(store, folder, current)
        holder = LeaseHolder(
            identity=run.identity or own_identity(),
            engine=run.engine,
            run_id=run.run_id,
            lease_id=lease_id,
            since=iso_time(store.now()),
            job=run.job,
        )
        lease = Lease(store, folder, holder)
        # When someone was faster: look again who it is.
        if lease.begin(0 if current is None else current.generation):
            return lease


def _is_free(store: Store, current: LeaseGeneration, run_is_over: RunIsOver | None) -> bool:
    if current.state == "released":
        return True
    holder = current.holder
    # Unreadable: not ours to judge.
    if holder is None:
        return False
    if is_gone(holder.identity):
        return True
    if holder.engine == "spark":
        return holder.job is not None and run_is_over is not None and run_is_over(holder)
    return (store.now() - current.written).total_seconds() >= FREE_AFTER_SECONDS


class Lease:
    """Renewed by a thread of its own until it is released or lost."""

    def __init__(self, store: Store, folder: str, holder: LeaseHolder) -> None:
        self._store = store
        self._folder = folder
        self._holder = holder
        self.generation = 0
        self._renewed_at = 0.0
        self._lost = False
        self._released = False
        self._ended = threading.Event()
        # Renewals, checks and the release, one after the other.
        self._turn = threading.Lock()

    def begin(self, above: int) -> bool:
        """False when another generation is there already or above."""
        if not self._put(above + 1, "held"):
            return False
        threading.Thread(target=self._renew_in_time, name="lease", daemon=True).start()
        return True

    @property
    def lost(self) -> bool:
        """True when the lease is known to be lost."""
        return self._lost

    def assert_held(self) -> None:
        """Looks, and raises CdcError `lease.lost` when someone else is the holder by now. Call it right before what must
        not happen twice."""
        with self._turn:
            self._raise_if_lost()
            # After a suspension the store has seen no sign of life for a while: give one before anything is written.
            if time.time() - self._renewed_at >= 2 * RENEW_EVERY_SECONDS:
                self._renew()
            else:
                generations = list_generations(self._store, self._folder)
                if not generations or generations[-1][0] != self.generation:
                    self._lose()
            self._raise_if_lost()

    def release(self) -> None:
        """Free for the next at once. A lease that is lost already stays as it is."""
        self._ended.set()
        with self._turn:
            if self._released or self._lost:
                return
            self._released = True
            self._put(self.generation + 1, "released")

    def abandon(self) -> None:
        """Ends the renewals and leaves the lease held: what it guards may still be under way."""
        self._ended.set()

    def _renew_in_time(self) -> None:
        while not self._ended.wait(RENEW_EVERY_SECONDS):
            with self._turn:
                if self._released or self._lost:
                    return
                try:
                    self._renew()
                except Exception:
                    # The store does not answer: the next turn tries again, until others may take the lease for free.
                    if time.time() - self._renewed_at >= LOST_AFTER_SECONDS:
                        self._lose()

    def _renew(self) -> None:
        if not self._put(self.generation + 1, "held"):
            self._lose()

    def _put(self, generation: int, state: str) -> bool:
        """Writes a generation, looks whether it is the highest, and then takes the lower ones away."""
        key = lease_key(self._folder, generation)
        at = time.time()
        if not self._store.put_if_absent(key, format_lease(state, self._holder)) and not self._is_mine(key, state):
            return False
        generations = list_generations(self._store, self._folder)
        # A holder that was suspended may find its number free again, below a new holder's: only the highest counts.
        if not generations or generations[-1][0] != generation:
            return False
        self.generation = generation
        self._renewed_at = at
        for _, lower in generations[:-1]:
            self._store.delete(lower.key)
        return True

    def _is_mine(self, key: str, state: str) -> bool:
        """A put whose reply was lost and that was tried again finds its own file."""
        body = self._store.get_if_present(key)
        if body is None:
            return False
        try:
            found, holder = parse_lease(body)
        except ValueError:
            return False
        return found == state and holder.lease_id == self._holder.lease_id

    def _lose(self) -> None:
        self._ended.set()
        self._lost = True

    def _raise_if_lost(self) -> None:
        if self._lost:
            raise CdcError(
                "lease.lost",
                f"holding {self._store.location}/{self._folder}: someone else holds it by now",
                "run the command again; nothing was written without the lease",
            )


def describe_holder(current: LeaseGeneration) -> str:
    holder = current.holder
    if holder is None:
        return f"a file this version cannot read ({current.reason})"
    if holder.job is not None:
        return f"{holder.engine}, run {holder.run_id} of the Glue job {holder.job}, since {holder.since}"
    return f"{holder.engine} on {holder.identity.host} (pid {holder.identity.pid}) since {holder.since}"


def _held(store: Store, folder: str, current: LeaseGeneration) -> CdcError:
    is_ours = current.holder is not None and current.holder.engine == "cdc"
    return CdcError(
        "lease.held",
        f"taking the lease {store.location}/{folder}: it is held by {describe_holder(current)}",
        "wait until it is done, or end it with cdc stop; one that has died is replaced a minute after its last sign of life"
        if is_ours
        else "when that run is over: cdc merge --take-over",
    )
