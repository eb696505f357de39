"""Reads Delta tables with delta-rs, and with DuckDB, for the tests: a JSON request a line on stdin, a JSON answer a line on stdout."""

import datetime
import decimal
import json
import math
import pathlib
import sys

from deltalake import DeltaTable, QueryBuilder


def plain(value):
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    raise TypeError(f"no plain form for {type(value)}")


def rows(table):
    names = table.column_names
    columns = [column.to_pylist() for column in table.columns]
    return [{n: plain(v) for n, v in zip(names, row)} for row in zip(*columns)]


def open_duckdb():
    """With its delta extension, from PyPI as well."""
    import duckdb
    import duckdb_ext

    folder = pathlib.Path(list(duckdb_ext.__path__)[0], "extensions", "v" + duckdb.__version__)
    connection = duckdb.connect()
    for extension in folder.glob("*/delta.duckdb_extension"):
        connection.load_extension(str(extension))
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def answer(request):
    if request["op"] == "duckdb":
        return rows(open_duckdb().execute("SELECT * FROM delta_scan(?)", [request["path"]]).fetch_arrow_table())
    if request["op"] == "duckdb-sql":
        connection = open_duckdb()
        for sql in request["sql"]:
            found = connection.execute(sql).fetchall()
        return json.loads(json.dumps(found, default=str))
    table = DeltaTable(request["path"], version=request.get("version"), storage_options=request.get("storage"))
    op = request["op"]
    if op == "rows":
        return rows(table.to_pyarrow_table())
    if op == "query":
        import pyarrow

        reader = QueryBuilder().register("t", table).execute(request["sql"])
        return rows(pyarrow.table(reader))
    if op == "info":
        return {
            "version": table.version(),
            "files": len(table.file_uris()),
            "properties": table.metadata().configuration,
            "schema": json.loads(table.schema().to_json()),
            "txn": {app: plain(table.transaction_version(app)) for app in request.get("apps", [])},
        }
    raise ValueError(f"unknown op {op}")


for line in sys.stdin:
    request = json.loads(line)
    try:
        reply = {"id": request["id"], "result": answer(request)}
    except BaseException as error:  # a panic of the Rust side is a BaseException, and an answer too
        reply = {"id": request["id"], "error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
