"""A batch's files between the plan and the commit: what was planned is what was read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .errors import CdcError
from .store import Store, StoredObject

# Files above this are read again only when size or time say that they may have changed.
_SMALL_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class InputState:
    """An object as it was when the batch was planned."""

    store: Store
    label: str
    """For messages: where it lies."""
    found: StoredObject
    tag: str

    @property
    def size(self) -> int:
        return self.found.size


def stored_input(store: Store, key: str) -> InputState:
    label = f"{store.location}/{key}"
    found = store.stat(key)
    if found is None:
        raise _missing(label)
    tag = found.tag or store.tag_of(key)
    if tag is None:
        raise _missing(label)
    return InputState(store, label, found, tag)


def assert_unchanged(inputs: Iterable[InputState]) -> None:
    """Raises `input.missing` or `input.changed`; call it when everything has been read, right before the commit."""
    for one in inputs:
        now = one.store.stat(one.found.key)
        if now is None:
            raise _missing(one.label)
        if now == one.found and one.size > _SMALL_BYTES:
            continue
        tag = now.tag or one.store.tag_of(one.found.key)
        if tag is None:
            raise _missing(one.label)
        if tag != one.tag:
            raise input_changed(one.label, "it was changed while it was merged")


def input_changed(label: str, how: str) -> CdcError:
    """`how` ends the sentence."""
    return CdcError(
        "input.changed",
        f"reading {label}: {how}",
        "nothing was applied; a change file must not change once it is there: bring the right one back, then merge again",
    )


def _missing(label: str) -> CdcError:
    return CdcError(
        "input.missing",
        f"reading {label}: it is gone, and it is not merged yet",
        "nothing was applied; bring it back from a copy, or load the table again: cdc reload",
    )
