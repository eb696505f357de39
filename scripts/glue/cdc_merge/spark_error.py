"""What Spark's exceptions are about: a file that it could not read, a commit that somebody else was faster with, or anything else."""

from __future__ import annotations

import re

_UNREADABLE = re.compile(r"MALFORMED_RECORD|Malformed records|TextParsingException|MALFORMED_CSV|BadRecordException")
_CONFLICT = re.compile(r"DELTA_CONCURRENT|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|Concurrent\w+Exception")


def is_unreadable(error: BaseException) -> bool:
    return _UNREADABLE.search(str(error)) is not None


def is_conflict(error: BaseException) -> bool:
    return _CONFLICT.search(str(error)) is not None


def spark_message(error: BaseException) -> str:
    """The first line that says something, and the cause at the bottom of it; Spark's texts go on with plans and stacks."""
    lines = [line.strip() for line in str(error).splitlines()]
    # Where Python calls Java, the first line names a method of the bridge, and the next begins with a colon.
    said = [line.lstrip(": ") for line in lines if line.lstrip(": ") and not line.startswith("An error occurred while calling")]
    head = said[0] if said else type(error).__name__
    causes = [line.removeprefix("Caused by: ") for line in said if line.startswith("Caused by: ")]
    return head if not causes or causes[-1] in head else f"{head} ({causes[-1]})"
