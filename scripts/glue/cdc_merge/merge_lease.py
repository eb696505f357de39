"""The merge's lease of one lake table: waited for a while, released whatever happens, also on SIGTERM and SIGINT."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from .errors import Cancelled, CdcError, Interrupted
from .layout import TableName, merge_lease
from .lease import Lease, Run, RunIsOver, acquire_lease
from .store import Store

_RETRY_SECONDS = 0.1


@contextmanager
def merge_lease_of(
    lake: Store,
    table: TableName,
    run: Run,
    *,
    stop_work: Callable[[], None],
    take_over: bool = False,
    wait_seconds: float = 30.0,
    run_is_over: RunIsOver | None = None,
) -> Iterator[Lease]:
    """Holds the lease for the block. Raises `lease.held` naming the holder that is still there after the wait.

    `stop_work` ends whatever of the block could still commit after it was interrupted (Spark's JVM goes on when Python
    stops waiting for it) and returns once that is certain. When it cannot, the lease stays held: a commit that comes late
    must meet no other writer.
    """
    lease = _acquire(lake, table, run, take_over, wait_seconds, run_is_over)
    try:
        yield lease
    except (Interrupted, KeyboardInterrupt, SystemExit):
        try:
            stop_work()
        except BaseException:
            lease.abandon()
            raise
        lease.release()
        raise
    except BaseException:
        lease.release()
        raise
    lease.release()


def _acquire(
    lake: Store,
    table: TableName,
    run: Run,
    take_over: bool,
    wait_seconds: float,
    run_is_over: RunIsOver | None,
) -> Lease:
    until = time.monotonic() + wait_seconds
    while True:
        try:
            return acquire_lease(lake, merge_lease(table), run, take_over=take_over, run_is_over=run_is_over)
        except CdcError as error:
            if error.code != "lease.held" or time.monotonic() >= until:
                raise
        time.sleep(_RETRY_SECONDS)


@contextmanager
def cancelled_by_signals() -> Iterator[None]:
    """For the block SIGTERM and SIGINT raise Interrupted in the main thread, once: what follows is the way out, and a second
    signal must not cut the release short. Raises Cancelled at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel(number: int, _frame: FrameType | None) -> None:
        for one in handled:
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(f"interrupted by {signal.Signals(number).name}")

    handled = [signal.SIGTERM, signal.SIGINT]
    before = {one: signal.signal(one, cancel) for one in handled}
    try:
        yield
    except Interrupted as interrupted:
        raise Cancelled(str(interrupted)) from interrupted
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
