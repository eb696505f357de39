"""The number of a change within its table: 4 digits of run, 15 consecutive from 1 within the run.

In memory one int (run x 10^15 + number), in text always 19 digits, so that text order is number order.
"""

from __future__ import annotations

import re

RUN = 10**15
_TEXT = re.compile(r"(?:[0-9]{16})?([0-9]{19})")


def change_number(run: int, number: int) -> int:
    return run * RUN + number


def run_of(number: int) -> int:
    """The run a number belongs to; a run ends where capture broke off, and only a load opens the next."""
    return number // RUN


def number_in_run(number: int) -> int:
    return number % RUN


def format_change_number(number: int) -> str:
    return str(number).rjust(19, "0")


def parse_change_number(text: str) -> int:
    """Reads the 19 digits of a number, or the 35 of a `cdc_seq` (16 digits of commit time before them)."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a change number')
    return int(match[1])
