"""The store over a folder of this machine: the same files, names and atomicity as src/core/store/local.ts."""

from __future__ import annotations

import hashlib
import os
import stat as modes
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import TypeVar

from .durable import (
    link_if_absent,
    make_folder,
    replace_synced,
    sync_folder,
    temporary_beside,
    write_synced,
)
from .errors import CdcError
from .folder_error import is_absent, read_error, write_error
from .store import TEMPORARY, StoredObject, assert_key, to_bytes

T = TypeVar("T")
PIECE_BYTES = 1 << 20


class FolderStore:
    def __init__(self, root: str, hard_links: bool = True) -> None:
        self.location = os.path.abspath(root)
        self._hard_links = hard_links
        self._replacing = threading.Lock()

    def list(self, prefix: str, after: str | None = None) -> Sequence[StoredObject]:
        found = (self.stat(key) for key in self._keys(prefix[: prefix.rfind("/") + 1], prefix, after))
        # Python orders text by code point, which is the order of UTF-8 bytes.
        return sorted((one for one in found if one is not None), key=lambda one: one.key)

    def _keys(self, folder: str, prefix: str, after: str | None) -> Iterator[str]:
        for name, is_folder in self._entries(folder):
            key = f"{folder}{name}"
            if is_folder:
                below = f"{key}/"
                if below.startswith(prefix) or prefix.startswith(below):
                    yield from self._keys(below, prefix, after)
            elif key.startswith(prefix) and (after is None or key > after):
                yield key

    def _entries(self, folder: str) -> Sequence[tuple[str, bool]]:
        path = os.path.join(self.location, folder)
        try:
            with os.scandir(path) as entries:
                return [(one.name, one.is_dir()) for one in entries if not one.name.startswith(TEMPORARY)]
        except OSError as error:
            if is_absent(error):
                return []
            raise read_error(path, error) from error

    def list_folders(self, prefix: str) -> Sequence[str]:
        return sorted(name for name, is_folder in self._entries(prefix) if is_folder)

    def stat(self, key: str) -> StoredObject | None:
        path = self._path(key)
        try:
            found = os.stat(path)
        except OSError as error:
            if is_absent(error):
                return None
            raise read_error(path, error) from error
        return StoredObject(key, found.st_size, time_of(found)) if modes.S_ISREG(found.st_mode) else None

    def get(self, key: str) -> bytes:
        body = self.get_if_present(key)
        if body is None:
            raise not_found(self._path(key))
        return body

    def get_if_present(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            if is_absent(error):
                return None
            raise read_error(path, error) from error

    def get_range(self, key: str, start: int, end: int) -> bytes:
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                file.seek(start)
                return file.read(max(0, end - start))
        except OSError as error:
            raise not_found(path) if is_absent(error) else read_error(path, error) from error

    def put(self, key: str, body: bytes | str) -> None:
        def write(path: str) -> None:
            temporary = temporary_beside(path)
            try:
                write_synced(temporary, to_bytes(body))
                # Commit point: readers see the new content from here.
                replace_synced(temporary, path)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.remove(temporary)
                raise

        self._write(key, write)

    def put_if_absent(self, key: str, body: bytes | str) -> bool:
        content = to_bytes(body)

        def write(path: str) -> bool:
            if self._hard_links:
                temporary = temporary_beside(path)
                try:
                    write_synced(temporary, content)
                    # Commit point: the name exists from here, with the whole content, for one writer only.
                    linked = link_if_absent(temporary, path)
                    if linked is not None:
                        sync_folder(os.path.dirname(path))
                        return linked
                finally:
                    with suppress(FileNotFoundError):
                        os.remove(temporary)
            # Without hard links the name exists before its content: one writer still wins, but a reader can meet a part of
            # it, and a crash can leave one.
            try:
                write_synced(path, content)
            except FileExistsError:
                return False
            sync_folder(os.path.dirname(path))
            return True

        return self._write(key, write)

    def put_if_match(self, key: str, body: bytes | str, tag: str) -> bool:
        """Compares, then renames: exact among the threads of one process; processes hold a lease."""
        with self._replacing:
            if self.tag_of(key) != tag:
                return False
            self.put(key, body)
            return True

    def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            os.remove(path)
            sync_folder(os.path.dirname(path))
        except OSError as error:
            if not is_absent(error):
                raise write_error(path, error) from error

    def tag_of(self, key: str) -> str | None:
        path = self._path(key)
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as file:
                while piece := file.read(PIECE_BYTES):
                    digest.update(piece)
        except OSError as error:
            if is_absent(error):
                return None
            raise read_error(path, error) from error
        return f"sha256:{digest.hexdigest()}"

    def now(self) -> datetime:
        """The file system's clock: on a network share that is the server's, and the same for everyone."""
        path = os.path.join(self.location, f"{TEMPORARY}{uuid.uuid4()}")
        try:
            with open(path, "xb") as file:
                try:
                    return time_of(os.fstat(file.fileno()))
                finally:
                    os.remove(path)
        except OSError:
            # A folder that is absent or read-only has no writers to agree with.
            return datetime.now(timezone.utc)

    def uri(self, key: str) -> str:
        return f"file://{os.path.join(self.location, key)}"

    def _path(self, key: str) -> str:
        assert_key(key)
        return os.path.join(self.location, key)

    def _write(self, key: str, write: Callable[[str], T]) -> T:
        """Runs a write, making the key's folder when it is missing; errors come out as what a user can mend."""
        path = self._path(key)
        folder = os.path.dirname(path)
        try:
            attempt = 1
            while True:
                if not os.path.exists(folder):
                    make_folder(folder)
                try:
                    return write(path)
                except FileNotFoundError:
                    # The folder went between the two (an empty one removed by a clean-up): once more.
                    if attempt == 2 or os.path.exists(folder):
                        raise
                    attempt += 1
        except OSError as error:
            raise write_error(path, error) from error


def time_of(found: os.stat_result) -> datetime:
    return datetime.fromtimestamp(found.st_mtime, timezone.utc)


def not_found(path: str) -> CdcError:
    return CdcError("store.not-found", f"reading {path}: it is not there")
