"""The instants at which a crash must lose nothing, by name, as src/core/crash-point.ts has them; tests end the process there."""

from __future__ import annotations

from collections.abc import Callable

_listener: Callable[[str], None] | None = None


def reach(point: str) -> None:
    """`merge.planned`, `merge.written`, `merge.committed`, `merge.cleaned`: does nothing unless somebody listens."""
    if _listener is not None:
        _listener(point)


def on_crash_point(listener: Callable[[str], None] | None) -> None:
    """Called once by the job, and by tests."""
    global _listener
    _listener = listener
