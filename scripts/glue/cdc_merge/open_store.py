"""Which store a location names."""

from __future__ import annotations

from urllib.parse import urlsplit

from .folder_store import FolderStore
from .store import Store


def open_store(location: str) -> Store:
    """The store at `s3://bucket/prefix`, a `file://` URL or a folder's path."""
    if location.startswith("s3://"):
        # boto3 is needed, and imported, only here.
        from .s3_store import open_s3_store

        return open_s3_store(location)
    return FolderStore(urlsplit(location).path if location.startswith("file://") else location)
