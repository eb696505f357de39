"""Who may assume a role and what it may do, asked by the services that are handed one; AWS's managed policies, few but fast."""

import json
import re

from moto.iam import models
from moto.iam.access_control import IAMPolicy, IAMPolicyStatement, PermissionResult
from moto.iam.models import iam_backends

from common import TOLD

# moto makes some 1,500 policies again at each reset, which takes a second: only those that pipelines attach.
_wanted = ("AmazonDMS", "AWSLambda", "AWSGlue", "AmazonS3", "AmazonRDS", "CloudWatchLogs")
models.aws_managed_policies_data = json.dumps(
    {name: policy for name, policy in json.loads(models.aws_managed_policies_data).items() if name.startswith(_wanted)}
)


def match_wildcards(pattern, string):
    """moto knows * only, and takes the rest for a regular expression."""
    return re.match(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") + "$", string)


IAMPolicyStatement._match = staticmethod(match_wildcards)


def role_of(account, name_or_arn):
    name = str(name_or_arn).split("/")[-1]
    return next((role for role in iam_backends[account]["aws"].roles.values() if role.name == name), None)


def can_assume(account, name_or_arn, *principals):
    """Whether the role is there, trusts one of the services, and IAM has told them so (`role_refusals`)."""
    role = role_of(account, name_or_arn)
    if role is None or not any(principal in trusted_services(role) for principal in principals):
        return False
    role.refusals = getattr(role, "refusals", 0)
    if role.refusals < TOLD["role_refusals"]:
        role.refusals += 1
        return False
    return True


def trusted_services(role):
    document = role.assume_role_policy_document
    document = json.loads(document) if isinstance(document, str) else document
    services = []
    for statement in as_list(document.get("Statement", [])):
        principal = statement.get("Principal", {})
        if statement.get("Effect") == "Allow" and isinstance(principal, dict):
            services += as_list(principal.get("Service", []))
    return services


def may(account, name_or_arn, action, resource):
    """Whether the role's own policies allow the action; conditions are taken as met."""
    role = role_of(account, name_or_arn)
    if role is None:
        return False
    return any(allows(document, action, resource) for document in policies_of(role))


def policies_of(role):
    for document in role.policies.values():
        yield json.loads(document) if isinstance(document, str) else document
    for policy in role.managed_policies.values():
        document = next(version.document for version in policy.versions if version.is_default)
        yield json.loads(document) if isinstance(document, str) else document


def allows(document, action, resource):
    statements = [
        {key: value for key, value in statement.items() if key != "Condition"}
        for statement in as_list(document["Statement"])
        if not (statement["Effect"] == "Deny" and "Condition" in statement)
    ]
    policy = IAMPolicy(json.dumps({"Statement": statements}))
    return policy.is_action_permitted(action, resource) == PermissionResult.PERMITTED


def as_list(value):
    return value if isinstance(value, list) else [value]
