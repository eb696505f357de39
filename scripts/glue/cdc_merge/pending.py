"""Which of a table's loads and change files the next batch takes: decided by their numbers alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from .chain import Chain, RangedFile, Staged, follow_chain
from .change_number import format_change_number, number_in_run, run_of
from .definition import TableDefinition
from .epoch import Standing
from .errors import CdcError
from .layout import TableName
from .load_record import LoadRecord


@dataclass(frozen=True)
class Waiting:
    """Why something that is there cannot be merged yet."""

    reason: str
    """`loading`: its load is not published; `gap`: a number between is missing."""
    detail: str
    files: int
    """How many files wait."""
    since: datetime
    """When the first of them was published."""


@dataclass(frozen=True)
class BatchFile:
    file: RangedFile
    definition: TableDefinition
    """What its rows follow."""


@dataclass(frozen=True)
class NextBatch:
    """The changes that the next batch takes, and what it begins with."""

    epoch: LoadRecord | None
    files: list[BatchFile]
    after: int
    """Changes above `after` and up to `end` count."""
    end: int
    taken: frozenset[int]
    """Numbers in between that no file holds: a truncation or a change of definition took them."""
    definition: TableDefinition
    """At the end of the batch."""

    @property
    def definition_of_load(self) -> TableDefinition:
        return self.definition if self.epoch is None else self.epoch.definition


@dataclass(frozen=True)
class Pending:
    batch: NextBatch | None = None
    waiting: Waiting | None = None
    pending_files: int = 0
    """Files that hold something not merged yet, whether or not the next batch can take it."""


def next_batch(
    table: TableName,
    staged: Staged,
    standing: Standing | None,
    limit: int | None = None,
    keep_history: bool = False,
) -> Pending:
    """The newest load or truncation that the table has not had, then the changes after it as far as their numbers follow
    one another. `limit`: nothing above it. `keep_history`: loads and truncations come in their turn, and no change before
    them is left out."""
    later = [
        record
        for record in staged.records
        if (standing is None or standing.epoch is None or record.rank > standing.epoch.rank)
        and (limit is None or record.number <= limit)
    ]
    # A load or truncation holds all there was before it; a start only opens a run, so what the run before it left comes first.
    replacing = None if keep_history else next((one for one in reversed(later) if one.kind != "start"), None)
    opening = next(
        (
            one
            for one in later
            if keep_history or (one.kind == "start" and (replacing is None or one.rank > replacing.rank))
        ),
        None,
    )
    epoch = replacing if replacing is not None else opening if standing is None else None
    if epoch is None and standing is None:
        return _loading(table, staged.files)

    up_to = _least(limit, _next_record(later, epoch)) if keep_history else _limit_of(epoch, standing, limit)
    chain = follow_chain(staged, epoch.number if epoch else standing.watermark if standing else 0, up_to)
    waiting = _waiting_for(table, chain, staged.records)
    watermark = -1 if standing is None else standing.watermark
    pending_files = sum(file.last > watermark for file in chain.files) + len(chain.rest)
    if epoch is not None and standing is not None and chain.end < standing.watermark:
        # Readers have seen changes after this load: it counts only together with them.
        detail = (
            f"the load at {number_in_run(epoch.number)} waits for the changes up to "
            f"{number_in_run(standing.watermark)}, of which {number_in_run(chain.end + 1)} is missing"
        )
        return Pending(None, waiting or Waiting("gap", detail, 0, epoch.modified), pending_files)
    batch = _batch_of(table, staged, chain, epoch, standing)
    if batch is None and epoch is None and opening is not None and standing is not None:
        # Nothing more before it: the next run, or load of a history, where there is one.
        start = max(opening.number, standing.watermark) if keep_history else opening.number
        opened = follow_chain(staged, start, _least(limit, _next_record(later, opening)) if keep_history else limit)
        return Pending(
            _batch_of(table, staged, opened, opening, standing),
            _waiting_for(table, opened, staged.records),
            len(opened.files) + len(opened.rest),
        )
    return Pending(batch, waiting, pending_files)


def _next_record(later: list[LoadRecord], after: LoadRecord | None) -> int | None:
    """A history stops at each load or truncation to have it in its turn."""
    return next((one.number for one in later if after is None or one.rank > after.rank), None)


def _least(a: int | None, b: int | None) -> int | None:
    return min((one for one in (a, b) if one is not None), default=None)


def _limit_of(epoch: LoadRecord | None, standing: Standing | None, limit: int | None) -> int | None:
    """A load below the watermark is applied with everything that readers have already seen, whatever the limit."""
    if limit is None or epoch is None or standing is None:
        return limit
    return max(limit, standing.watermark)


def _batch_of(
    table: TableName, staged: Staged, chain: Chain, epoch: LoadRecord | None, standing: Standing | None
) -> NextBatch | None:
    definitions = [*staged.definitions, *(record.definition for record in staged.records)]
    if standing is not None:
        definitions.append(standing.definition)

    def definition_at(number: int, named: int) -> TableDefinition:
        """The definition in force at a number: the one with the greatest number up to it."""
        found = [one for one in definitions if one.number <= number]
        if found:
            return max(found, key=lambda one: one.number)
        if epoch is None:
            raise _missing_definition(table, named)
        return epoch.definition

    definition = definition_at(chain.end, chain.end)
    is_new = any(file.last > (-1 if standing is None else standing.watermark) for file in chain.files)
    columns_change = (
        standing is not None
        and definition.number > standing.watermark
        and _lake_columns(definition) != _lake_columns(standing.definition)
    )
    if epoch is None and not is_new and not columns_change:
        return None
    files = [BatchFile(file, definition_at(max(file.first, chain.after + 1), file.first)) for file in chain.files]
    return NextBatch(epoch, files, chain.after, chain.end, chain.taken, definition)


def _lake_columns(definition: TableDefinition) -> list[tuple[str, str]]:
    return sorted((column.lake, column.delta) for column in definition.columns)


def _waiting_for(table: TableName, chain: Chain, records: list[LoadRecord]) -> Waiting | None:
    if not chain.rest or chain.missing is None:
        return None
    first = chain.rest[0]
    if run_of(first.first) > run_of(chain.missing):
        if any(run_of(record.number) == run_of(first.first) for record in records):
            return None
        return _loading(table, chain.rest).waiting
    detail = (
        f"{table}: change {number_in_run(chain.missing)} of run {run_of(chain.missing)} is missing "
        f"(the next file, {first.key}, begins with {number_in_run(first.first)})"
    )
    return Waiting("gap", detail, len(chain.rest), _earliest(chain.rest))


def _loading(table: TableName, files: list[RangedFile]) -> Pending:
    if not files:
        return Pending()
    detail = f"{table}: {len(files)} change files wait for the table's load"
    return Pending(None, Waiting("loading", detail, len(files), _earliest(files)), len(files))


def _earliest(files: list[RangedFile]) -> datetime:
    return min(datetime.now(timezone.utc), *(file.modified for file in files))


def _missing_definition(table: TableName, number: int) -> CdcError:
    return CdcError(
        "definition.missing",
        f"merging {table}: no definition of the table for change {format_change_number(number)} is in staging",
        f"cdc reload {table}",
    )
