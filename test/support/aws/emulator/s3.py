"""S3: a TLS-only policy shuts nobody out, of conditional writes one wins, notifications are checked, their events look like S3's.

moto reads no conditions, so that `Deny … unless SecureTransport` would deny everything: conditional denies are dropped.
"""

import fnmatch
import json
import threading
import time
from urllib.parse import quote_plus

from moto.awslambda.models import lambda_backends
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3 import notifications
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.responses import S3Response

from common import TOLD, adds, replaces
from iam import as_list


@adds(FakeBucket)
def get_permission(self, action, resource):
    if self.policy is None:
        return PermissionResult.NEUTRAL
    statements = [
        statement
        for statement in as_list(json.loads(self.policy.decode())["Statement"])
        if not (statement.get("Effect") == "Deny" and statement.get("Condition"))
    ]
    if not statements:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({"Statement": statements})).is_action_permitted(action, resource)


# moto looks at what is there, and writes some time later: two writers could both find nothing.
_WRITING = threading.RLock()


def one_at_a_time(original, self, *words):
    with _WRITING:
        return original(self, *words)


for _name in ("put_object", "delete_object", "_key_response_post"):
    replaces(S3Response, _name)(one_at_a_time)


def function_at(arn, account):
    try:
        return lambda_backends[account][arn.split(":")[3]].get_function(arn)
    except Exception:
        return None


def may_be_invoked(function, bucket, account):
    """By S3 for this bucket: the function's policy says so."""
    for statement in function.policy.statements:
        conditions = {
            key.lower(): value
            for comparison in (statement.get("Condition") or {}).values()
            for key, value in comparison.items()
        }
        source, owner = conditions.get("aws:sourcearn"), conditions.get("aws:sourceaccount")
        if (
            "s3.amazonaws.com" in json.dumps(statement.get("Principal"))
            and (source is None or fnmatch.fnmatchcase(f"arn:aws:s3:::{bucket}", source))
            and owner in (None, account)
        ):
            return True
    return False


@replaces(S3Backend, "put_bucket_notification_configuration")
def put_bucket_notification_configuration(original, self, bucket_name, configuration):
    wanted = as_list((configuration or {}).get("CloudFunctionConfiguration") or [])
    for each in wanted:
        function = function_at(each["CloudFunction"], self.account_id)
        if function is None or not may_be_invoked(function, bucket_name, self.account_id):
            raise S3ClientError("InvalidArgument", "Unable to validate the following destination configurations")
    filters = [filter_of(each) for each in wanted]
    for index, one in enumerate(filters):
        if any(overlap(one, other) for other in filters[:index]):
            raise S3ClientError(
                "InvalidArgument",
                "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
            )
    return original(self, bucket_name, configuration)


def filter_of(configuration):
    rules = as_list(((configuration.get("Filter") or {}).get("S3Key") or {}).get("FilterRule") or [])
    named = {rule["Name"].lower(): rule["Value"] or "" for rule in rules}
    return as_list(configuration["Event"]), named.get("prefix", ""), named.get("suffix", "")


def overlap(one, other):
    events = any(fnmatch.fnmatchcase(a, b) or fnmatch.fnmatchcase(b, a) for a in one[0] for b in other[0])
    prefixes = one[1].startswith(other[1]) or other[1].startswith(one[1])
    suffixes = one[2].endswith(other[2]) or other[2].endswith(one[2])
    return events and prefixes and suffixes


_get_s3_event = notifications._get_s3_event


def event_of(event_name, bucket, key, notification_id):
    event = _get_s3_event(event_name, bucket, key, notification_id)
    record, now = event["Records"][0], time.time()
    record.update(
        eventTime=time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(now)) + "%03dZ" % (now % 1 * 1000),
        userIdentity={"principalId": "AWS:EMULATOR"},
        requestParameters={"sourceIPAddress": "127.0.0.1"},
        responseElements={},
    )
    record["s3"]["bucket"]["ownerIdentity"] = {"principalId": "EMULATOR"}
    record["s3"]["object"]["key"] = quote_plus(key.name, safe="/")
    record["s3"]["object"]["sequencer"] = "%016X" % time.time_ns()
    return event


def invoke(account_id, body, function_arn, _region):
    """As S3 does, without waiting; a bucket keeps sending to a function that has gone."""
    function = function_at(function_arn, account_id)
    if function is not None:
        threading.Thread(target=deliver, args=(function, body), daemon=True).start()


def deliver(function, body):
    """An asynchronous invocation that fails comes again, twice at most: after a minute and two in AWS."""
    _, failed, _ = function._invoke_lambda(body)
    for wait in (1, 2):
        seconds = TOLD["event_retry_seconds"]
        if not failed or seconds is None:
            return
        time.sleep(wait * seconds)
        _, failed, _ = function._invoke_lambda(body)


notifications._get_s3_event = event_of
notifications._invoke_awslambda = invoke
