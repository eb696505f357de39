"""Where change files and lake tables live: one port over folders and S3. Keys use `/` and are relative to the root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

TEMPORARY = ".tmp-"
"""The prefix of names that are not there yet; no listing shows them."""


@dataclass(frozen=True)
class StoredObject:
    key: str
    size: int
    modified: datetime
    tag: str | None = None
    """As tag_of gives it, where a listing tells it (S3)."""


class Store(Protocol):
    """What both kinds of store promise; src/core/store/store.ts has the same port."""

    location: str
    """For messages: a folder's path or `s3://bucket/prefix`."""

    def list(self, prefix: str, after: str | None = None) -> Sequence[StoredObject]:
        """Objects whose key begins with the prefix, in byte order of their keys; `after`: only greater keys."""

    def list_folders(self, prefix: str) -> Sequence[str]:
        """The names of folders right below a folder prefix (ending in `/`)."""

    def stat(self, key: str) -> StoredObject | None: ...

    def get(self, key: str) -> bytes:
        """Raises CdcError `store.not-found`."""

    def get_if_present(self, key: str) -> bytes | None: ...

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Bytes from `start` to `end` (exclusive), cut at the object's end."""

    def put(self, key: str, body: bytes | str) -> None:
        """Writes or replaces; a reader sees the old or the new whole object. Durable when it returns."""

    def put_if_absent(self, key: str, body: bytes | str) -> bool:
        """Writes only where nothing is: True when this call wrote it. Durable when it returns."""

    def put_if_match(self, key: str, body: bytes | str, tag: str) -> bool:
        """Replaces only the content that `tag` names (from tag_of); False when it is another one by now."""

    def delete(self, key: str) -> None:
        """Removes; an absent key is no error."""

    def tag_of(self, key: str) -> str | None:
        """What identifies the content: the ETag on S3 (without its quotes), `sha256:<hex>` on folders.
        None when it is not there."""

    def now(self) -> datetime:
        """The store's clock, for leases."""

    def uri(self, key: str) -> str:
        """What Hadoop and Spark call the object: `file:///lake/shop/orders` or `s3://bucket/prefix/shop/orders`.
        Nothing in it is escaped, as Hadoop's Path wants it; glob characters are for the caller to escape."""


def assert_key(key: str) -> None:
    """A key that could leave the root or hide from listings is a bug of ours, whatever name it was built from."""
    for part in key.split("/"):
        if part in ("", ".", "..") or part.startswith(TEMPORARY) or "\0" in part:
            raise ValueError(f'"{key}" is not a key of a store')


def to_bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body
