"""Files that survive a power cut: written whole, synced, and only then given their name."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from contextlib import suppress

from .store import TEMPORARY


def temporary_beside(path: str) -> str:
    """A new temporary name in the folder of `path`, so that both are on one file system."""
    return os.path.join(os.path.dirname(path), f"{TEMPORARY}{uuid.uuid4()}")


def write_synced(path: str, body: bytes) -> None:
    """A file that was not there, whole and on disk when this returns."""
    with open(path, "xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


_NO_FOLDER_SYNC = {
    errno.EISDIR,
    errno.EPERM,
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EBADF,
    errno.EACCES,
}


def sync_folder(path: str) -> None:
    """Makes the names in a folder durable; where folders cannot be opened or synced there is nothing to do."""
    try:
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def make_folder(path: str) -> None:
    """Makes the folder and those above it, each durable in its parent."""
    missing: list[str] = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        os.makedirs(folder, exist_ok=True)
        sync_folder(os.path.dirname(folder))


_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def link_if_absent(source: str, target: str) -> bool | None:
    """Gives a synced file a second name, unless that is taken (False). None where the file system has no hard links."""
    try:
        os.link(source, target)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_HARD_LINKS:
            return None
        if error.errno != errno.EXDEV:
            raise
    # The folder is another file system: bring the bytes over first.
    near = temporary_beside(target)
    try:
        with open(source, "rb") as old, open(near, "xb") as new:
            shutil.copyfileobj(old, new)
            new.flush()
            os.fsync(new.fileno())
        return link_if_absent(near, target)
    finally:
        with suppress(FileNotFoundError):
            os.remove(near)


def replace_synced(source: str, target: str) -> None:
    """Replaces `target` by a synced file in one step."""
    os.replace(source, target)
    sync_folder(os.path.dirname(target))
