"""python lambda_python.py FOLDER HANDLER OUT: runs a function of Python on the event at stdin, its answer or error to OUT."""

import importlib
import json
import os
import sys
import time
import traceback

folder, handler, out = sys.argv[1:4]
# The folder of this script is no place to import from.
sys.path[0] = folder
started = time.time()


class Context:
    function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    function_version = "$LATEST"
    invoked_function_arn = os.environ["EMULATOR_ARN"]
    aws_request_id = os.environ["EMULATOR_REQUEST"]
    memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
    log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
    log_stream_name = "emulator"

    def get_remaining_time_in_millis(self):
        return max(0, int((float(os.environ["EMULATOR_TIMEOUT"]) - (time.time() - started)) * 1000))


try:
    event = json.load(sys.stdin)
    module, name = handler.rsplit(".", 1)
    result = getattr(importlib.import_module(module.replace("/", ".")), name)(event, Context())
    ended = json.dumps({"result": result})
except BaseException as error:
    traceback.print_exc()
    trace = traceback.format_tb(error.__traceback__)
    ended = json.dumps({"error": {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": trace}})
with open(out, "w") as file:
    file.write(ended)
