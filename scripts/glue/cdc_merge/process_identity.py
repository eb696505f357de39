"""Which process holds something, told so exactly that another process of the same machine can see whether it is gone.

The same texts as src/core/store/process-identity.ts, for the two engines judge each other's processes.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessIdentity:
    host: str
    pid: int
    started: str | None = None
    """When the process started, as its system tells it: a pid that was given out again has another."""
    boot: str | None = None
    """The boot it runs in."""
    machine: str | None = None
    """The machine and its pid namespace: two containers may share a host name and see different processes under one pid."""


def identity_of(pid: int) -> ProcessIdentity:
    """Of a process of this machine that runs now."""
    return ProcessIdentity(socket.gethostname(), pid, start_of(pid), _boot_id(), _machine_id())


def own_identity() -> ProcessIdentity:
    return identity_of(os.getpid())


def is_gone(identity: ProcessIdentity) -> bool:
    """True only when it is certain: the process ran on this machine and is there no more."""
    if identity.host != socket.gethostname() or identity.machine != _machine_id():
        return False
    if identity.boot is not None and identity.boot != _boot_id():
        return True
    if not _is_running(identity.pid):
        return True
    started = start_of(identity.pid)
    return identity.started is not None and started is not None and identity.started != started


def start_of(pid: int) -> str | None:
    """Clock ticks since boot from /proc, the date from ps elsewhere; None where it cannot be seen."""
    fields = _process_fields(pid)
    if fields is not None:
        return fields[19]
    if sys.platform in ("linux", "win32"):
        return None
    try:
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return text or None


def _is_running(pid: int) -> bool:
    fields = _process_fields(pid)
    # A zombie has ended; only its parent has not looked yet.
    if fields is not None:
        return fields[0] not in ("Z", "X")
    # /proc may be missing or hide other users' processes; a signal that is refused found one.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError) as error:
        return not isinstance(error, OverflowError)
    return True


def _process_fields(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name, which may hold blanks and parentheses itself."""
    status = _read_text(f"/proc/{pid}/stat")
    return None if status is None else status[status.rfind(")") + 2 :].split(" ")


def _boot_id() -> str | None:
    return _read_text("/proc/sys/kernel/random/boot_id")


def _machine_id() -> str | None:
    machine = _read_text("/etc/machine-id")
    try:
        namespace: str | None = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = None
    if machine is None and namespace is None:
        return None
    return f"{machine or ''} {namespace or ''}".strip()


def _read_text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None
