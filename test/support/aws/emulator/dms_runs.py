"""DMS: replication tasks that really move data, with CDC_EMU_DMS_CMD.

A task that is started starts that command, a process that loads and follows the source and writes into the bucket of the
target endpoint (../dms-task-child.ts). It is handed what the resources say: the secret behind the source endpoint and its
certificate, the settings of the target endpoint, table mappings, task settings, and where it begins. What it reports is what
the task and its tables show. It begins with what a test of the connections would find, and fails with that.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import time

from common import TOLD
from dms import mixed_in

ROOT = tempfile.mkdtemp(prefix="emulator-dms-")
PROCESSES = set()
# The stand-in ends them.
LIVE_STATES = [("creating", "ready"), ("starting", "running"), ("deleting", "gone")]


def command():
    return shlex.split(os.environ.get("CDC_EMU_DMS_CMD", ""))


def end_all():
    """With the account that they belong to."""
    for process in list(PROCESSES):
        process.kill()
        process.wait()


@mixed_in
class Runs:
    def run_task(self, task, kind):
        """Nothing where nobody has given a command: then states go on by themselves and nothing is moved."""
        if not command():
            return
        document, hidden = task.document, task.hidden
        task._transitions = [*LIVE_STATES, ("modifying", "stopped")]
        source, target = (self.store["endpoint"][document[key]] for key in ("SourceEndpointArn", "TargetEndpointArn"))
        why = self.why_unreachable(source) or self.why_unreachable(target) or self.why_other_owner(target)
        if why:
            fail(task, why)
            return
        folder = hidden.setdefault("folder", f"{ROOT}/{document['ReplicationTaskArn'].rsplit(':', 1)[-1]}")
        os.makedirs(folder, exist_ok=True)
        given = {
            "folder": folder,
            "kind": document["MigrationType"],
            "resumes": kind == "resume-processing",
            "from": position_of(document.get("CdcStartPosition")),
            "repeats": TOLD["task_repeats"] if kind == "resume-processing" else 0,
            "source": self.address_of(source),
            "target": target.document["S3Settings"],
            "rules": json.loads(document["TableMappings"])["rules"],
            "settings": json.loads(document["ReplicationTaskSettings"]),
        }
        process = subprocess.Popen(
            command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": folder,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ.get('MOTO_PORT', '5000')}",
                "AWS_REGION": self.region,
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_ACCESS_KEY_ID": "dms",
                "AWS_SECRET_ACCESS_KEY": "dms",
                "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
            },
        )
        PROCESSES.add(process)
        hidden["process"] = process
        tell_process(task, {"task": given})
        threading.Thread(target=listen, args=(task, process), daemon=True).start()

    def why_other_owner(self, target):
        owner = target.document["S3Settings"].get("ExpectedBucketOwner")
        if owner in (None, self.current_account):
            return None
        return f"Failed to connect to S3: access denied, the bucket's owner is not {owner}"

    def address_of(self, endpoint):
        """As the test of the connection has found it."""
        document = endpoint.document
        secret = self.secret_of((document.get("MySQLSettings") or {}).get("SecretsManagerSecretId"))
        address = secret or {
            "host": document["ServerName"],
            "port": document["Port"],
            "username": document["Username"],
            "password": endpoint.hidden["password"],
        }
        pem = None
        if document["SslMode"] in ("verify-ca", "verify-full"):
            pem = self.need("cert", document["CertificateArn"], "Certificate").document["CertificatePem"]
        return {**{key: address[key] for key in ("host", "port", "username", "password")}, "ca": pem}

    def drop_run(self, task):
        shutil.rmtree(task.hidden.get("folder", ""), ignore_errors=True)


def tell_process(task, line):
    process = task.hidden.get("process")
    if process is None:
        return
    try:
        process.stdin.write(json.dumps(line).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        pass  # it has ended, and says so itself


def listen(task, process):
    """Until the process ends; the last it says is how."""
    hidden, last, noise = task.hidden, {}, []
    for line in process.stdout:
        try:
            said = json.loads(line)
        except ValueError:
            noise = [*noise, line.decode("utf-8", "replace").strip()][-20:]
            continue
        last.update(said)
        if "tables" in said:
            hidden["tables"] = {(table["schema"], table["table"]): table for table in said["tables"]}
    process.wait()
    PROCESSES.discard(process)
    if hidden.get("process") is not process:
        return
    hidden["process"] = None
    hidden["stop"] = time.time()
    if "failed" in last or process.returncode != 0:
        fail(task, last.get("failed") or f"the stand-in ended with {process.returncode}: {' '.join(noise)[-600:]}")
    elif last.get("ended"):
        stopped(task, "Stop Reason FULL_LOAD_ONLY_FINISHED")
    else:
        stopped(task, "Stop Reason NORMAL")
        if "checkpoint" in last:
            task.document["RecoveryCheckpoint"] = checkpoint_of(last["checkpoint"])


def stopped(task, reason):
    task.document["StopReason"] = reason
    task.to("stopped")


def fail(task, message):
    task.document.update(LastFailureMessage=message, StopReason="Stop Reason FATAL_ERROR Error Level FATAL")
    task.to("failed")


def checkpoint_of(position):
    return f"checkpoint:V1#27#{position}:-1:{int(time.time())}:8791798251543:{position}#0#0#*#0#0"


def position_of(start):
    """`file:offset` of a position, or of a checkpoint of another task."""
    found = re.match(r"checkpoint:V1#27#([^:#]+:\d+):", start or "")
    return found[1] if found else start


def statistics_of(table):
    """A row of DescribeTableStatistics."""
    changes = {name: table[name.lower()] for name in ("Inserts", "Updates", "Deletes")}
    times = {"FullLoadStartTime": table.get("started"), "FullLoadEndTime": table.get("ended")}
    return {
        "SchemaName": table["schema"],
        "TableName": table["table"],
        **changes,
        **{f"Applied{name}": 0 for name in (*changes, "Ddls")},
        "Ddls": table["ddls"],
        "FullLoadRows": table["rows"],
        "FullLoadCondtnlChkFailedRows": 0,
        "FullLoadErrorRows": 0,
        **{name: at / 1000 for name, at in times.items() if at is not None},
        "FullLoadReloaded": table["reloaded"],
        "LastUpdateTime": time.time(),
        "TableState": table["state"],
        "ValidationState": "Not enabled",
    }


def progress_of(tables):
    """What ReplicationTaskStats says of the load."""
    states = [table["state"] for table in tables]
    ends = [table.get("ended") for table in tables]
    loaded = states.count("Table completed")
    return {
        "FullLoadProgressPercent": 100 * loaded // len(states) if states else 0,
        "TablesLoaded": loaded,
        "TablesLoading": states.count("Full load") + states.count("Table is being reloaded"),
        "TablesQueued": states.count("Before load"),
        "TablesErrored": states.count("Table error"),
        **({"FullLoadFinishDate": max(ends) / 1000} if states and all(ends) else {}),
    }
