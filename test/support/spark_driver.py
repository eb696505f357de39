"""One Spark session for the tests: a JSON request a line on stdin, a JSON answer a line on stdout.

usage: PYSPARK_SUBMIT_ARGS='--conf … pyspark-shell' python spark_driver.py
"""

import json
import os
import pathlib
import sys
from dataclasses import asdict

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "glue"))

from cdc_merge.crash_point import on_crash_point  # noqa: E402
from cdc_merge.errors import CdcError  # noqa: E402
from cdc_merge.job_arguments import read_arguments  # noqa: E402
from cdc_merge.lake_log import LakeLog  # noqa: E402
from cdc_merge.layout import TableName, table_folder  # noqa: E402
from cdc_merge.lease import Run  # noqa: E402
from cdc_merge.log_files import KnownLog, NotPlain, read_plain_log  # noqa: E402
from cdc_merge.merge_job import run_job  # noqa: E402
from cdc_merge.merge_lease import merge_lease_of  # noqa: E402
from cdc_merge.merge_table import MergeOptions, merge_table  # noqa: E402
from cdc_merge.open_store import open_store  # noqa: E402
from cdc_merge.session import open_session  # noqa: E402
from cdc_merge.spark_engine import SparkEngine  # noqa: E402

answers = os.fdopen(os.dup(1), "w")
# Whatever else prints does not mix with the answers.
os.dup2(2, 1)
spark = open_session("cdc tests")
spark.sparkContext.setLogLevel("OFF")
# For the tests' own statements: a merge sets what it needs.
spark.conf.set("spark.sql.shuffle.partitions", "1")


class Crash(BaseException):
    """The process would have died here."""


def crash_at(point):
    def listen(passed):
        if passed == point:
            raise Crash(point)

    on_crash_point(listen if point else None)


def merge(request):
    lake = open_store(request["lake"])
    table = TableName(request["schema"], request["table"])
    options = MergeOptions(
        staging=open_store(request["staging"]),
        lake=lake,
        app_id=request["appId"],
        unfit=request.get("unfit", "fail"),
        mode=request.get("mode", "merge"),
        replay_wait_seconds=request.get("replayWaitMs", 600_000) / 1000,
    )
    engine = SparkEngine(spark, lake)
    run = Run(identity=engine.identity())
    crash_at(request.get("crash"))

    def take_lease():
        # A busy machine may need minutes for what holds it.
        return merge_lease_of(lake, table, run, wait_seconds=180, stop_work=engine.stop_work)

    try:
        report = merge_table(options, table, engine, take_lease)
        return report.to_json()
    except Crash as crash:
        return {"crashed": str(crash)}
    finally:
        crash_at(None)


def job(request):
    """The whole job; at each plan that it writes the next of `landing`, a pair of paths, moves to where it belongs."""
    landing = list(request["landing"])

    def land(passed):
        if passed == "merge.planned" and landing:
            os.rename(*landing.pop(0))

    on_crash_point(land)
    try:
        return run_job(spark, read_arguments(["job", *request["words"]]), lambda _line: None)
    finally:
        on_crash_point(None)


def look(request):
    """How a table stands, by its log's own files (None where those are not plain) and by Delta."""
    lake, table = open_store(request["lake"]), TableName(request["schema"], request["table"])
    try:
        plain = read_plain_log(lake, f"{table_folder(table)}_delta_log/", KnownLog(), spark)
    except NotPlain:
        plain = None
    delta = LakeLog(spark, lake).ask_delta(table)
    return {"plain": plain and asdict(plain), "delta": delta and asdict(delta)}


def statements(request):
    """Runs SQL; the rows of the last statement as JSON."""
    rows = []
    for sql in request["sql"]:
        rows = [row.asDict(recursive=True) for row in spark.sql(sql).collect()]
    return json.loads(json.dumps(rows, default=str))


def create(request):
    """A table that only the builder can describe: generated and identity columns."""
    from delta.tables import DeltaTable, IdentityGenerator

    builder = DeltaTable.create(spark).location(request["path"])
    for column in request["columns"]:
        generated = column.get("generated")
        always = IdentityGenerator() if generated == "identity" else generated
        builder = builder.addColumn(column["name"], column["type"], generatedAlwaysAs=always)
    for name, value in request["properties"].items():
        builder = builder.property(name, value)
    builder.execute()


def delta(_request):
    """Every feature and table property that the Delta beside Spark knows."""
    delta = spark._jvm.org.apache.spark.sql.delta
    to_java = spark._jvm.scala.collection.JavaConverters.mapAsJavaMap
    return {
        "features": sorted(one.name() for one in to_java(delta.TableFeature.allSupportedFeaturesMap()).values()),
        "properties": sorted(one.key() for one in to_java(delta.DeltaConfigs.getAllConfigs()).values()),
    }


def coordinate(_request):
    """Tables may have their commits coordinated by `in-memory` from here on."""
    coordinated = spark._jvm.org.apache.spark.sql.delta.coordinatedcommits
    # So many commits stay out of the log's own folder.
    coordinated.CommitCoordinatorProvider.registerBuilder(coordinated.InMemoryCommitCoordinatorBuilder(100))


OPERATIONS = {
    "merge": merge,
    "job": job,
    "look": look,
    "sql": statements,
    "create": create,
    "delta": delta,
    "coordinate": coordinate,
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"id": request["id"], "result": OPERATIONS[request["op"]](request)}
    except CdcError as error:
        answer = {"id": request["id"], "failure": {"code": error.code, "message": error.message}}
    except BaseException as error:
        answer = {"id": request["id"], "error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
