"""How one file that DMS wrote is read: by its header or, where the dialect says that there is none, by its width; never by values."""

from __future__ import annotations

from collections.abc import Sequence

from .definition import TableDefinition
from .dms_dialect import Dialect
from .errors import CdcError
from .header import FieldRole, FileLayout, is_our_header

SEQUENCE_COLUMN = "dms_seq"
"""Orders changes within a transaction; a transformation rule of the task adds it."""
_BEFORE_PREFIX = "bi_"
"""Before the names of columns that say what a row was before an update."""


def dms_layout(
    first: tuple[str, ...], definitions: Sequence[TableDefinition], dialect: Dialect, file: str
) -> tuple[FileLayout, TableDefinition]:
    """The layout of a file by its first line, and the newest of the definitions (by number) that knows all its columns.
    Raises `definition.unknown`, `file.header`, `file.width`."""
    if is_our_header(first):
        raise CdcError("file.header", f"reading {file}, line 1: our own capture wrote it, and DMS follows the table")
    if dialect.header is False:
        return _headerless(first, definitions, dialect, file)
    newest = _newest_of(definitions, file)
    time = dialect.timestamp_column
    has_op = first[:1] == ("Op",) and (time is None or first[1:2] == (time,))
    start = 1 if has_op else 0
    has_time = time is not None and first[start : start + 1] == (time,)
    if not has_time and not (time is None and has_op):
        raise CdcError(
            "file.header",
            f"reading {file}, line 1: it is not the header of DMS's endpoint (Op,{time or 'columns'}, …)",
            "was the endpoint changed by hand? cdc init sets it right; the file must be taken away",
        )
    lead = [*([FieldRole("op")] if has_op else []), *([FieldRole("time")] if has_time else [])]
    names = first[len(lead) :]
    for definition in reversed(definitions):
        roles = _column_roles(names, definition)
        if isinstance(roles, str):
            continue
        _assert_key(roles, definition, file)
        return FileLayout("dms", True, (*lead, *roles), dialect.null), definition
    raise CdcError(
        "definition.unknown",
        f"reading {file}, line 1: no definition of {newest.name} knows the column {_column_roles(names, newest)}",
        "cdc replicate   # reads the columns of the source again; then merge again",
    )


def _column_roles(names: Sequence[str], definition: TableDefinition) -> list[FieldRole] | str:
    """What each field is, or the name of one that nobody knows. Names are compared as MySQL does, without case."""
    places = {column.name.lower(): index for index, column in enumerate(definition.columns)}
    seen: set[str] = set()
    roles: list[FieldRole] = []
    # A table's own columns come first, so one that is called like an addition is the column when it comes first.
    for name in names:
        lower = name.lower()
        before = places.get(lower[len(_BEFORE_PREFIX) :]) if lower.startswith(_BEFORE_PREFIX) else None
        if lower in places and lower not in seen:
            roles.append(FieldRole("column", places[lower]))
            seen.add(lower)
        elif name == SEQUENCE_COLUMN and all(role.kind != "number" for role in roles):
            roles.append(FieldRole("number"))
        elif before is not None:
            roles.append(FieldRole("before", before))
        else:
            return name
    return roles


def _headerless(
    first: Sequence[str], definitions: Sequence[TableDefinition], dialect: Dialect, file: str
) -> tuple[FileLayout, TableDefinition]:
    definition = _newest_of(definitions, file)
    if not dialect.frozen or any(_columns(one) != _columns(definition) for one in definitions):
        raise CdcError(
            "file.header",
            f"reading {file}: it has no header, so its columns are only known while nobody changes the table's",
            'have DMS write headers (AddColumnName); or promise it: "ddl": "frozen" in _cdc/dialect.json',
        )
    time = [] if dialect.timestamp_column is None else [FieldRole("time")]
    bare = len(time) + len(definition.columns)
    if len(first) not in (bare, bare + 1):
        raise CdcError(
            "file.width",
            f"reading {file}, line 1: it has {len(first)} fields, and a row of {definition.name} has {bare}, "
            f"or {bare + 1} with Op",
            "nothing of it was applied; if the columns have changed: cdc reload",
        )
    op = [] if len(first) == bare else [FieldRole("op")]
    columns = [FieldRole("column", index) for index in range(len(definition.columns))]
    return FileLayout("dms", False, (*op, *time, *columns), dialect.null), definition


def _columns(definition: TableDefinition) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in definition.columns]


def _newest_of(definitions: Sequence[TableDefinition], file: str) -> TableDefinition:
    if not definitions:
        raise CdcError(
            "definition.missing",
            f"reading {file}: nobody says what its table's columns are",
            "cdc replicate   # writes it down",
        )
    return definitions[-1]


def _assert_key(roles: Sequence[FieldRole], definition: TableDefinition, file: str) -> None:
    """A row without its key cannot be told from others."""
    named = {definition.columns[role.index].name.lower() for role in roles if role.kind == "column"}
    for name in definition.key:
        if name.lower() not in named:
            raise CdcError(
                "file.header",
                f"reading {file}, line 1: the header does not name the key column {name}",
                f"cdc reload {definition.name}",
            )
