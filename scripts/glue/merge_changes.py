"""Merges the pending change files of a pipeline's tables into its lake with Spark: the Glue job, and `cdc merge --engine spark`.

usage: spark-submit --packages io.delta:delta-spark_2.12:3.3.2 merge_changes.py --staging PLACE --lake PLACE --pipeline NAME

  --staging PLACE    a folder or s3://bucket/prefix: where the change files are
  --lake PLACE       likewise: where the Delta tables are
  --pipeline NAME    `name:` of cdc.yaml; with the table's name it is the appId in the Delta log's txn
optional, each LIST separated by commas (or as JSON, where a name has one in it):
  --tables LIST      shop.orders,shop.items: these tables only, else all that staging knows
  --append LIST      patterns (shop.log%) of tables with `mode: append`
  --file KEY         a file in staging: what is pending before it comes first, nothing after it
  --unfit POLICY     fail (default) or quarantine: what becomes of rows whose values do not fit
  --take_over true   takes the tables from another merge that will not come back
  --load_complete true   a load of DMS counts although nobody has recorded that it is complete

On Glue 5.1 (Spark 3.5.6, Delta 3.3.2, `--datalake-formats delta`) the package cdc_merge beside this file comes as a zip by
`--extra-py-files`; what Glue adds (`--JOB_NAME`, `--JOB_RUN_ID` …) is taken from it. S3 is reached with the credentials and
the endpoint that the environment names (AWS_ENDPOINT_URL for another one than AWS's). Nothing is pending: it ends in seconds.

stdout: a line per batch and table, and as its last line one JSON document, `{"tables": […], "engine": "spark"}`, as
`cdc merge --json` prints it. Exit code 1 when a table has an error in it.
"""

import os
import signal
import sys
from collections.abc import Sequence

from cdc_merge.crash_point import on_crash_point
from cdc_merge.errors import CdcError
from cdc_merge.job_arguments import read_arguments
from cdc_merge.merge_job import failure_of, format_report, run_job
from cdc_merge.merge_lease import cancelled_by_signals
from cdc_merge.session import open_session


def say(line: str) -> None:
    print(line, flush=True)


def main(argv: Sequence[str]) -> None:
    arm_kill_switch()
    try:
        arguments = read_arguments(argv)
        spark = open_session(f"cdc merge {arguments.pipeline}")
        with cancelled_by_signals():
            report = run_job(spark, arguments, say)
    except CdcError as error:
        fields = {"code": error.code, "message": error.message}
        report = {"tables": [], "engine": "spark", "error": fields | ({"hint": error.hint} if error.hint else {})}
        say(format_report(report))
        sys.exit(f"{error.message} ({error.code})")
    say(format_report(report))
    failure = failure_of(report)
    if failure is not None:
        # Its text is what Glue shows as the run's error.
        sys.exit(failure)


def arm_kill_switch() -> None:
    """CDC_KILL_AT: the tests let this process die, as kill -9 would, where a crash must lose nothing."""
    point = os.environ.get("CDC_KILL_AT")
    if point is None:
        return

    def kill(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    on_crash_point(kill)


if __name__ == "__main__":
    main(sys.argv)
