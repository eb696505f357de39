"""botocore as judge of command lines of the AWS CLI.   python cli_oracle.py SCRIPT.sh

Takes each `aws SERVICE COMMAND …` of a script apart as bash would, finds the operation and the members that its words stand
for in Amazon's own model, and prints one {"service", "operation", "input"} a line, or exits 1 naming what is unknown.
Variables keep a value of their own name, so that whatever depends on them can still be checked. A value is read from the file
that it names, and from what is piped in, as the command line does.
"""

import json
import re
import shlex
import sys

import botocore.session
from botocore import xform_name

SESSION = botocore.session.get_session()
SERVICES = {"s3api": "s3"}


def main(path):
    wrong = []
    for line in open(path):
        line = line.rstrip("\n")
        found = re.search(r"(?:^|\$\(|\| )(aws .*)$", line)
        if line.startswith("#") or not found:
            continue
        text = found.group(1)
        if "$(" in line[: found.start(1)] or re.match(r"\w+=\$\(", line):
            text = text[: text.rindex(")")]
        words = words_of(text)
        piped = re.search(r"printf '%s' (.*) \| $", line[: found.start(1)])
        try:
            call = read(words[1:], " ".join(words_of(piped.group(1))) if piped else None)
        except Exception as error:
            wrong.append(f"{' '.join(words[:3])}: {error}")
            continue
        if call:
            print(json.dumps(call))
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


def words_of(text):
    return shlex.split(re.sub(r'"\$(\w+)"', r"var-\1", text))


def text_of(value, piped):
    if value == "file:///dev/stdin":
        return piped
    if value.startswith("file:///"):
        return open(value[len("file://") :]).read()
    return value


def read(words, piped):
    service, command, *rest = words
    model = SESSION.get_service_model(SERVICES.get(service, service))
    if command == "wait":
        waiters = SESSION.get_component("data_loader").load_service_model(SERVICES.get(service, service), "waiters-2")
        name = next(each for each in waiters["waiters"] if xform_name(each, "-") == rest[0])
        operation, rest = waiters["waiters"][name]["operation"], rest[1:]
    else:
        operation = next((each for each in model.operation_names if xform_name(each, "-") == command), None)
    if operation is None:
        raise ValueError(f"no such command: {command}")
    members = model.operation_model(operation).input_shape.members
    options = {xform_name(name, "-"): (name, shape) for name, shape in members.items()}
    given, at = {}, 0
    while at < len(rest):
        word, at = rest[at], at + 1
        if not word.startswith("--"):
            raise ValueError(f"a stray word: {word}")
        if word in ("--query", "--output"):
            at += 1
            continue
        option = word[2:]
        if option.startswith("no-") and option[3:] in options:
            given[options[option[3:]][0]] = False
            continue
        if option not in options:
            raise ValueError(f"no such option: {word}")
        name, shape = options[option]
        if shape.type_name == "boolean":
            given[name] = True
            continue
        value, at = text_of(rest[at], piped), at + 1
        if shape.type_name in ("structure", "list", "map"):
            value = json.loads(value)
        elif shape.type_name in ("integer", "long"):
            value = int(value)
        elif shape.type_name == "blob":
            value = {"$bytes": len(value)}
        given[name] = value
    return {"service": SERVICES.get(service, service), "operation": operation, "input": given}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
