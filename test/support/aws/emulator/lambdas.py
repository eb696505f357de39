"""Lambda: zips of Node and Python really run, in a process each, without containers.

Adds to moto: Pending and InProgress, which refuse what must wait for Active; roles that Lambda may assume; runtimes that
are no more; statement ids that are taken; timeouts; logs.
"""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse
from moto.moto_api._internal import mock_random

from common import Machine, adds, replaces
from iam import can_assume

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = tempfile.mkdtemp(prefix="emulator-lambda-")
STATES = [("Pending", "Active"), ("InProgress", "Active")]
RUNTIMES = ("nodejs20.x", "nodejs22.x", "nodejs24.x", "nodejs26.x", "python3.11", "python3.12", "python3.13")
BOOTSTRAPS = {"nodejs": ["node", f"{HERE}/lambda_node.mjs"], "python": [sys.executable, f"{HERE}/lambda_python.py"]}


class Conflict(LambdaClientError):
    code = 409

    def __init__(self, message):
        super().__init__("ResourceConflictException", message)


# -------------------------------------------------------------------- states


def machine_of(function):
    if "machine" not in function.__dict__:
        function.__dict__["machine"] = Machine("lambda::function", STATES, "Pending")
    return function.__dict__["machine"]


@replaces(LambdaFunction, "get_configuration")
def get_configuration(original, self, on_create=False):
    configuration, status = original(self, on_create), machine_of(self).status
    configuration["State"] = "Pending" if status == "Pending" else "Active"
    if status == "Pending":
        configuration["StateReason"] = "The function is being created."
        configuration["StateReasonCode"] = "Creating"
    configuration["LastUpdateStatus"] = "InProgress" if status != "Active" else "Successful"
    return configuration


def looks(original, self):
    position = -1 if original.__name__ == "get_function" else -2
    name = self.path.rsplit("/", 2)[position]
    machine_of(self.backend.get_function(name, None)).advance()
    return original(self)


replaces(LambdaResponse, "get_function")(looks)
replaces(LambdaResponse, "get_function_configuration")(looks)


def require_active(function):
    status = machine_of(function).status
    if status == "Pending":
        raise Conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        )
    if status == "InProgress":
        raise Conflict(
            "The operation cannot be performed at this time. "
            f"An update is in progress for resource: {function.function_arn}"
        )


def require_role(account, role):
    if not can_assume(account, role, "lambda.amazonaws.com"):
        raise InvalidParameterValueException("The role defined for the function cannot be assumed by Lambda.")


@replaces(LambdaBackend, "create_function")
def create_function(original, self, spec):
    if spec.get("PackageType", "Zip") == "Zip":
        if spec.get("Runtime") not in RUNTIMES:
            raise InvalidParameterValueException(
                f"The runtime parameter of {spec.get('Runtime')} is no longer supported for creating or updating functions."
            )
        if not spec.get("Handler"):
            raise InvalidParameterValueException(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
    require_role(self.account_id, spec["Role"])
    return original(self, spec)


@replaces(LambdaBackend, "update_function_code")
def update_function_code(original, self, function_name, qualifier, body):
    function = self.get_function(function_name, qualifier)
    require_active(function)
    configuration = original(self, function_name, qualifier, body)
    if not body.get("DryRun"):
        machine_of(function).to("InProgress")
        configuration["LastUpdateStatus"] = "InProgress"
    return configuration


@replaces(LambdaBackend, "update_function_configuration")
def update_function_configuration(original, self, function_name, qualifier, body):
    function = self.get_function(function_name, qualifier)
    require_active(function)
    if body.get("Role"):
        require_role(self.account_id, body["Role"])
    configuration = original(self, function_name, qualifier, body)
    machine_of(function).to("InProgress")
    configuration["LastUpdateStatus"] = "InProgress"
    return configuration


@replaces(Policy, "add_statement")
def add_statement(original, self, raw, qualifier=None):
    if isinstance(self.parent, LambdaFunction):
        require_active(self.parent)
    wanted = json.loads(raw).get("StatementId")
    if any(statement.get("Sid") == wanted for statement in self.statements):
        raise Conflict(
            f"The statement id ({wanted}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    return original(self, raw, qualifier)


# -------------------------------------------------------------------- running


@adds(LambdaFunction)
def invoke(self, body, request_headers, response_headers):
    require_active(self)
    event = json.loads(body) if body else {}
    headers = {name.lower(): value for name, value in dict(request_headers).items()}
    if headers.get("x-amz-invocation-type") == "Event":
        threading.Thread(target=self._invoke_lambda, args=(event,), daemon=True).start()
        return ""
    if headers.get("x-amz-invocation-type") == "DryRun":
        return b""
    result, failed, log = self._invoke_lambda(event)
    if failed:
        response_headers["x-amz-function-error"] = "Unhandled"
    response_headers["x-amz-executed-version"] = "$LATEST"
    response_headers["x-amz-log-result"] = base64.b64encode(log.encode()[-4096:]).decode()
    return result.encode()


@adds(LambdaFunction)
def _invoke_lambda(self, event=None):
    """(the answer or the error as JSON, whether it failed, the log)"""
    self.logs_backend.ensure_log_group(self.logs_group_name)
    request, runtime = str(mock_random.uuid4()), str(self.run_time)
    code, started = unpacked(self), time.time()
    with tempfile.NamedTemporaryFile(dir=ROOT) as out:
        bootstrap = BOOTSTRAPS["nodejs" if runtime.startswith("nodejs") else "python"]
        try:
            process = subprocess.run(
                [*bootstrap, code, self.handler, out.name],
                input=json.dumps(event if event is not None else {}).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment_of(self, code, request),
                cwd=code,
                timeout=float(self.timeout),
            )
            log, written = process.stdout.decode("utf-8", "replace"), out.read()
            message = f"RequestId: {request} Error: Runtime exited with error: exit status {process.returncode}"
            ended = json.loads(written) if written else error("Runtime.ExitError", message)
        except subprocess.TimeoutExpired as expired:
            log = (expired.stdout or b"").decode("utf-8", "replace")
            message = f"RequestId: {request} Error: Task timed out after {float(self.timeout):.2f} seconds"
            ended = error("Sandbox.Timedout", message)
    milliseconds = (time.time() - started) * 1000
    if log and not log.endswith("\n"):
        log += "\n"
    log = (
        f"START RequestId: {request} Version: $LATEST\n{log}END RequestId: {request}\n"
        f"REPORT RequestId: {request}\tDuration: {milliseconds:.2f} ms\n"
    )
    self.save_logs(log)
    separators = {"separators": (",", ":")} if runtime.startswith("nodejs") else {}
    answer = ended["error"] if "error" in ended else ended["result"]
    return json.dumps(answer, ensure_ascii=False, **separators), "error" in ended, log


def error(kind, message):
    return {"error": {"errorType": kind, "errorMessage": message}}


def unpacked(function):
    """The folder with the function's code, unpacked once for each zip."""
    base = f"{ROOT}/{hashlib.sha256(function.code_bytes).hexdigest()[:16]}"
    if not os.path.isdir(base):
        making = tempfile.mkdtemp(dir=ROOT)
        zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(f"{making}/fn")
        if os.environ.get("CDC_EMU_NODE_MODULES"):
            os.symlink(os.path.abspath(os.environ["CDC_EMU_NODE_MODULES"]), f"{making}/node_modules")
        try:
            os.rename(making, base)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
    return f"{base}/fn"


def environment_of(function, code, request):
    return {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "TZ": ":UTC",
        "LANG": "C.UTF-8",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": "lambda",
        "AWS_SECRET_ACCESS_KEY": "lambda",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ.get('MOTO_PORT', '5000')}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": code,
        "EMULATOR_TIMEOUT": str(function.timeout),
        "EMULATOR_ARN": function.function_arn,
        "EMULATOR_REQUEST": request,
        **(function.environment_vars or {}),
    }
