"""What Glue says of the run that holds a lease; boto3 is imported only when it is asked."""

from __future__ import annotations

from .lease_file import LeaseHolder

_OVER = frozenset({"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"})


def glue_run_is_over(holder: LeaseHolder) -> bool:
    """True only when Glue says so: no answer, no right to ask and an unknown run leave the lease to its holder."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        reply = boto3.client("glue").get_job_run(JobName=holder.job, RunId=holder.run_id)
    except (BotoCoreError, ClientError):
        return False
    return reply["JobRun"]["JobRunState"] in _OVER
