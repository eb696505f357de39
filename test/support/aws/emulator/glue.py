"""Glue jobs and their runs.

Adds to moto: refusal of duplicates, of roles that Glue may not assume and of capacities that exclude each other; UpdateJob,
which resets what it does not name; UpdateTrigger; BatchStopJobRun; runs that go on and, with the argument --emulator-fail,
fail. Schedules do not fire.
With CDC_EMU_GLUE_CMD a run really runs its script from S3: CMD script.py --JOB_NAME x --JOB_RUN_ID y --argument value …,
with the zips of --extra-py-files to import from; the exit code is the run's end, and its output is in the log group
/aws-glue/jobs/output, or behind the prefix that --custom-logGroup-prefix names.
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

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.glue.exceptions import AlreadyExistsException, GlueClientError
from moto.glue.models import FakeJob, FakeJobRun, GlueBackend
from moto.glue.responses import Action, GlueResponse
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from common import adds, replaces
from iam import can_assume

DONE = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT")
LOG_PREFIX = "/aws-glue/jobs"


def require_role(backend, role):
    if not can_assume(backend.account_id, role, "glue.amazonaws.com"):
        raise GlueClientError(
            "InvalidInputException",
            f"Service is unable to assume provided role {role}. Please verify role's TrustPolicy: "
            "it should be given assume role permissions for Glue Service",
        )


def check_capacity(given):
    if given.get("MaxCapacity") and (given.get("WorkerType") or given.get("NumberOfWorkers")):
        raise GlueClientError(
            "InvalidInputException", "Please do not set Max Capacity if using Worker Type and Number of Workers."
        )


@replaces(GlueBackend, "create_job")
def create_job(original, self, name, role, *rest, **named):
    if name in self.jobs:
        raise AlreadyExistsException("Job")
    require_role(self, role)
    return original(self, name, role, *rest, **named)


@replaces(GlueResponse, "create_job")
def create_job_action(original, self):
    check_capacity(json.loads(self.body))
    return original(self)


MEMBERS = {
    "Description": "description",
    "LogUri": "log_uri",
    "Role": "role",
    "ExecutionProperty": "execution_property",
    "Command": "command",
    "DefaultArguments": "default_arguments",
    "NonOverridableArguments": "non_overridable_arguments",
    "Connections": "connections",
    "MaxRetries": "max_retries",
    "AllocatedCapacity": "allocated_capacity",
    "Timeout": "timeout",
    "MaxCapacity": "max_capacity",
    "WorkerType": "worker_type",
    "NumberOfWorkers": "number_of_workers",
    "SecurityConfiguration": "security_configuration",
    "NotificationProperty": "notification_property",
    "GlueVersion": "glue_version",
}


@adds(GlueResponse)
def update_job(self):
    given = json.loads(self.body)
    job, update = self.glue_backend.get_job(given["JobName"]), given["JobUpdate"]
    require_role(self.glue_backend, update.get("Role"))
    check_capacity(update)
    for member, attribute in MEMBERS.items():
        absent = {} if member in ("DefaultArguments", "ExecutionProperty") else None
        setattr(job, attribute, update.get(member, absent))
    job.last_modified_on = utcnow()
    return ActionResult({"JobName": given["JobName"]})


@replaces(GlueBackend, "create_trigger")
def create_trigger(original, self, name, *rest, **named):
    if name in self.triggers:
        raise AlreadyExistsException("Trigger")
    return original(self, name, *rest, **named)


@adds(GlueResponse)
def update_trigger(self):
    given = json.loads(self.body)
    trigger, update = self.glue_backend.get_trigger(given["Name"]), given["TriggerUpdate"]
    if "Schedule" in update:
        trigger.schedule = update["Schedule"]
    if "Actions" in update:
        trigger.actions = [Action(each) for each in update["Actions"]]
    return ActionResult({"Trigger": trigger.as_dict()})


@adds(GlueResponse)
def batch_stop_job_run(self):
    given = json.loads(self.body)
    job = self.glue_backend.get_job(given["JobName"])
    submitted, errors = [], []
    for run_id in given["JobRunIds"]:
        named = {"JobName": job.name, "JobRunId": run_id}
        run = next((each for each in job.job_runs if each.job_run_id == run_id), None)
        if run is None or run.status not in ("STARTING", "RUNNING"):
            code = "EntityNotFoundException" if run is None else "JobRunNotInTerminalStateException"
            errors.append({**named, "ErrorDetail": {"ErrorCode": code, "ErrorMessage": "cannot stop"}})
            continue
        run._transitions = [("STOPPING", "STOPPED")]
        run._status, run._tick = "STOPPING", 0
        if getattr(run, "process", None):
            run.process.terminate()
        submitted.append(named)
    return ActionResult({"SuccessfulSubmissions": submitted, "Errors": errors})


# -------------------------------------------------------------------- runs


@replaces(FakeJobRun, "__init__")
def new_run(original, self, *args, **kwargs):
    original(self, *args, **kwargs)
    self.completed_on = None
    self.error = (self.arguments or {}).get("--emulator-fail")
    if self.error:
        self._transitions = [("STARTING", "RUNNING"), ("RUNNING", "FAILED")]


@replaces(FakeJobRun, "as_dict")
def run_as_dict(original, self):
    document = original(self)
    state = document["JobRunState"]
    if state in DONE and not self.completed_on:
        self.completed_on = utcnow()
    seconds = (self.completed_on or utcnow()).timestamp() - self.started_on.timestamp()
    document.update(
        CompletedOn=self.completed_on,
        LogGroupName="/aws-glue/jobs",
        GlueVersion=getattr(self, "glue_version", None) or "5.1",
        ExecutionTime=int(seconds),
    )
    if state == "FAILED":
        document["ErrorMessage"] = self.error or "Command failed with exit code 1"
    return {key: value for key, value in document.items() if value is not None}


@replaces(FakeJob, "start_job_run")
def start_job_run(original, self, *args, **kwargs):
    run_id = original(self, *args, **kwargs)
    run = self.job_runs[-1]
    run.glue_version = self.glue_version
    command = os.environ.get("CDC_EMU_GLUE_CMD")
    if "--emulator-fail" not in (run.arguments or {}):
        if command:
            start_script(self, run, shlex.split(command))
        else:
            write_log(self, run, ['{"tables": [], "engine": "spark"}'])
    return run_id


def start_script(job, run, command):
    account, location = job.backend.account_id, (job.command or {}).get("ScriptLocation", "")
    script = stored(account, location)
    run._transitions, run._status = [], "RUNNING"
    if script is None:
        run._status, run.error = "FAILED", f"Script not found: {location}"
        return
    with tempfile.NamedTemporaryFile(suffix=".py", delete=False) as file:
        file.write(script.value)
    # moto has merged them with the job's own, as is seen in practice; the API's text says that they replace those.
    arguments = run.arguments or {}
    words = [word for pair in arguments.items() for word in pair]
    folder, zips = tempfile.mkdtemp(prefix="emulator-glue-"), []
    for location in filter(None, arguments.get("--extra-py-files", "").split(",")):
        module = stored(account, location)
        if module is None:
            run._status, run.error = "FAILED", f"Not found: {location}"
            return
        zips.append(os.path.join(folder, os.path.basename(location)))
        with open(zips[-1], "wb") as target:
            target.write(module.value)
    run.process = subprocess.Popen(
        [*command, file.name, "--JOB_NAME", job.name, "--JOB_RUN_ID", run.job_run_id, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={
            **os.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ.get('MOTO_PORT', '5000')}",
            "AWS_REGION": job.backend.region_name,
            "AWS_DEFAULT_REGION": job.backend.region_name,
            # Its role, as dms_tasks.py knows it again.
            "AWS_ACCESS_KEY_ID": f"glue.{str(job.role).split('/')[-1]}",
            "AWS_SECRET_ACCESS_KEY": "glue",
            "PYTHONPATH": os.pathsep.join([*zips, *filter(None, [os.environ.get("PYTHONPATH")])]),
        },
    )
    threading.Thread(target=wait_for, args=(job, run, [file.name, folder]), daemon=True).start()


def stored(account, location):
    place = re.match(r"s3://([^/]+)/(.+)", location)
    return s3_backends[account]["aws"].get_object(place[1], place[2]) if place else None


def wait_for(job, run, files):
    lines = run.process.communicate()[0].decode("utf-8", "replace").splitlines()
    for file in files:
        shutil.rmtree(file, ignore_errors=True) if os.path.isdir(file) else os.unlink(file)
    write_log(job, run, lines or [""])
    if run._status != "RUNNING":
        return
    code, said = run.process.returncode, [line for line in lines if line.strip()]
    run.completed_on = utcnow()
    if code != 0:
        run.error = said[-1][:400] if said else f"Command failed with exit code {code}"
    run._status = "SUCCEEDED" if code == 0 else "FAILED"


def write_log(job, run, lines):
    logs = logs_backends[job.backend.account_id][job.backend.region_name]
    group = (run.arguments or {}).get("--custom-logGroup-prefix", LOG_PREFIX) + "/output"
    logs.ensure_log_group(group)
    logs.create_log_stream(group, run.job_run_id)
    now = int(time.time() * 1000)
    logs.put_log_events(group, run.job_run_id, [{"timestamp": now, "message": line} for line in lines])
