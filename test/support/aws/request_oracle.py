"""botocore as judge of recorded requests.   python request_oracle.py CALLS.jsonl

One {"service", "operation", "input"} a line, the input as the SDK for JavaScript takes it, bytes as {"$bytes": length}
and dates as {"$date": milliseconds}; lines without an operation's input (faults) are passed over.
botocore's own validator knows required and unknown members, types and lengths; the walk here adds enumerations, patterns
and ranges, which botocore leaves to the service. Prints each finding once; exit code 1 when there are any.

Known false alarms: DescribeEvents of DMS for `replication-task`, and Glue worker types newer than the model.
"""

import datetime
import json
import re
import sys

import botocore
import botocore.session
from botocore.validate import ParamValidator

SESSION = botocore.session.get_session()
ALIASES = {"tag": "resourcegroupstaggingapi"}
models = {}


def model_of(service):
    name = ALIASES.get(service, service)
    if name not in models:
        models[name] = SESSION.get_service_model(name)
    return models[name]


def walk(shape, value, path, findings):
    if value is None:
        return
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        for name, inner in value.items():
            if name in shape.members:
                walk(shape.members[name], inner, f"{path}.{name}", findings)
    elif kind == "list" and isinstance(value, list):
        for index, inner in enumerate(value):
            walk(shape.member, inner, f"{path}[{index}]", findings)
    elif kind == "map" and isinstance(value, dict):
        for key, inner in value.items():
            walk(shape.key, key, f"{path}.key", findings)
            walk(shape.value, inner, f"{path}[{key}]", findings)
    elif kind == "string" and isinstance(value, str):
        check_string(shape, value, path, findings)
    elif kind in ("integer", "long", "float", "double") and isinstance(value, (int, float)):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            findings.append(f"{path}: {value} outside {low}..{high}")


def check_string(shape, value, path, findings):
    if getattr(shape, "enum", None) and value not in shape.enum:
        findings.append(f"{path}: {value!r} is none of {shape.enum[:8]}")
    pattern = shape.metadata.get("pattern")
    if pattern and not fits(pattern, value):
        findings.append(f"{path}: {value[:60]!r} does not match {pattern[:60]}")
    if len(value) > shape.metadata.get("max", sys.maxsize):
        findings.append(f"{path}: longer than {shape.metadata['max']}")


def fits(pattern, value):
    try:
        return re.fullmatch(pattern, value) or re.match(pattern, value)
    except re.error:
        # a pattern of Java that Python does not read
        return True


def check(service, operation, given):
    try:
        shape = model_of(service).operation_model(operation).input_shape
    except Exception:
        return [f"{service}:{operation}: no such operation"]
    if shape is None:
        return []
    report = ParamValidator().validate(given or {}, shape)
    findings = [line for line in report.generate_report().splitlines() if line] if report.has_errors() else []
    walk(shape, given or {}, operation, findings)
    return [f"{service}:{operation}: {finding}" for finding in findings]


def restored(value):
    if isinstance(value, dict):
        if "$bytes" in value:
            return b"x" * value["$bytes"]
        if "$date" in value:
            return datetime.datetime.fromtimestamp(value["$date"] / 1000, datetime.timezone.utc)
        return {key: restored(inner) for key, inner in value.items()}
    return [restored(inner) for inner in value] if isinstance(value, list) else value


def main(file):
    checked, seen = 0, set()
    with open(file) as lines:
        for line in lines:
            call = json.loads(line)
            if "input" not in call:
                continue
            checked += 1
            for finding in check(call["service"], call["operation"], restored(call["input"])):
                if finding not in seen:
                    seen.add(finding)
                    print(finding)
    print(f"{checked} requests checked, {len(seen)} findings, botocore {botocore.__version__}")
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
