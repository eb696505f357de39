"""Times as texts: as JSON has them, and as DMS names its files."""

from __future__ import annotations

from datetime import datetime, timezone


def iso_time(time: datetime) -> str:
    """`2026-11-22T10:15:31.002Z`."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def parse_time(text: str) -> datetime:
    """`2026-11-22T10:00:00.000Z`; raises ValueError."""
    if not text.endswith("Z"):
        raise ValueError(f'"{text}" is no time in UTC')
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=timezone.utc)


def dms_time(time: datetime) -> str:
    """`20261122-101530123`, as DMS names its change files: both are compared as texts."""
    return time.astimezone(timezone.utc).strftime("%Y%m%d-%H%M%S") + f"{time.microsecond // 1000:03d}"
