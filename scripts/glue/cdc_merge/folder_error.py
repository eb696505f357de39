"""What the system says about a folder, as errors a user can act on."""

from __future__ import annotations

import errno
import os

from .errors import CdcError


def is_absent(error: OSError) -> bool:
    """A file or folder that is not there, or is of the other kind."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def read_error(path: str, error: OSError) -> CdcError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return CdcError("store.not-readable", f"reading {path}: this user may not read it", f'chmod -R u+rX "{path}"')
    return CdcError("store.failed", f"reading {path}: {error}")


def write_error(path: str, error: OSError) -> CdcError:
    another = "name another folder in cdc.yaml"
    if error.errno in (errno.EACCES, errno.EPERM):
        return CdcError(
            "store.not-writable",
            f"writing {path}: this user may not write there",
            f'chmod -R u+rwX "{os.path.dirname(path)}"',
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return CdcError("store.not-writable", f"writing {path}: a part of this path is a file, and no folder", another)
    if error.errno == errno.EROFS:
        return CdcError("store.not-writable", f"writing {path}: the file system is mounted read-only", another)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CdcError(
            "store.full",
            f"writing {path}: the disk is full",
            "free some space and run the command again; nothing half-written counts",
        )
    return CdcError("store.failed", f"writing {path}: {error}")
