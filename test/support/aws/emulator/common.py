"""What every part of the emulator needs: what tests have told it, faults, states, and replacing a method of moto."""

import datetime
import functools

from moto.core.exceptions import JsonRESTError
from moto.moto_api import state_manager
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.managed_state_model import ManagedState

NOTHING_TOLD = {
    # every TestConnection fails with this message
    "connection_fail": None,
    # a running replication task fails with this message
    "task_fail": None,
    # a task that is resumed writes so many changes of each table again (with CDC_EMU_DMS_CMD)
    "task_repeats": 0,
    # seconds after which S3's event comes again to a function that failed, twice; None: it does not
    "event_retry_seconds": None,
    # what DMS says of a table, over what its task has done: {"schema.table": {"TableState": ...}}; with "times" so often only
    "statistics": {},
    # so many rows of DescribeTableStatistics a page
    "statistics_page": 100,
    # the tables of the source, [[schema, table], ...], that wildcards of table mappings find (a task that really runs asks the source)
    "tables": [],
    # a role is refused so many times by the first service that uses it: IAM has not told everybody yet
    "role_refusals": 0,
    # DMS leaves its network interface behind when an instance is deleted
    "leave_interface": False,
    # the name of a secret deleted without recovery is refused so many times
    "secret_refusals": 0,
    # an account on the free plan: RDS keeps no backups longer than a day and runs micro classes only
    "free_plan": False,
    # so many databases an account may have
    "database_limit": 40,
}
TOLD = dict(NOTHING_TOLD)

for _model in (
    "dms::replicationtask",
    "dms::replicationinstance",
    "dms::connection",
    "dms::resource",
    "rds::dbinstance",
    "lambda::function",
    "glue::job_run",
):
    state_manager.register_default_transition(_model, {"progression": "manual", "times": 1})


class Machine(ManagedState):
    """The states of one resource. They go on with `advance`, which a Describe does; `gone` means it has vanished."""

    def __init__(self, model, transitions, first=None):
        ManagedState.__init__(self, model, transitions)
        if first is not None:
            self._status = first

    def to(self, status):
        self._status, self._tick, self._time_progressed = status, 0, datetime.datetime.now()


def random_id(length=26):
    return "".join(mock_random.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(length))


def fault(name, message, code=400):
    """An error of a JSON service."""
    error = JsonRESTError(name, message)
    error.code = code
    return error


def replaces(owner, name):
    """Makes the decorated function the method `owner.name`; it gets moto's own as its first argument."""

    def decorate(function):
        original = getattr(owner, name)

        @functools.wraps(original)
        def method(self, *args, **kwargs):
            return function(original, self, *args, **kwargs)

        setattr(owner, name, method)
        return function

    return decorate


def adds(owner):
    """Makes the decorated function a method of `owner`, where moto has none or one of no use."""

    def decorate(function):
        setattr(owner, function.__name__, function)
        return function

    return decorate
