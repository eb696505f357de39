"""Who may assume a role and what it may do, asked by the services that are handed one; AWS's managed policies, few but fast."""

import json
import re

from moto.core.responses import ActionResult
from moto.iam import models
from moto.iam.exceptions import NotFoundException
from moto.iam.access_control import IAMPolicy, IAMPolicyStatement, PermissionResult
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from common import TOLD, adds

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


def may(account, name_or_arn, action, resource, tags=None):
    """Whether the role's own policies allow the action. Conditions are taken as met, but those on the resource's tags where
    these are given."""
    role = role_of(account, name_or_arn)
    if role is None:
        return False
    return any(allows(document, action, resource, tags) for document in policies_of(role))


def policies_of(role):
    for document in role.policies.values():
        yield json.loads(document) if isinstance(document, str) else document
    for policy in role.managed_policies.values():
        document = next(version.document for version in policy.versions if version.is_default)
        yield json.loads(document) if isinstance(document, str) else document


def allows(document, action, resource, tags=None):
    statements = [
        {key: value for key, value in statement.items() if key != "Condition"}
        for statement in as_list(document["Statement"])
        if not (statement["Effect"] == "Deny" and "Condition" in statement) and has_tags(statement, tags)
    ]
    policy = IAMPolicy(json.dumps({"Statement": statements}))
    return policy.is_action_permitted(action, resource) == PermissionResult.PERMITTED


def has_tags(statement, tags):
    wanted = statement.get("Condition", {}).get("StringEquals", {})
    name = "aws:ResourceTag/"
    return tags is None or all(
        tags.get(key[len(name) :]) in as_list(value) for key, value in wanted.items() if key.startswith(name)
    )


def as_list(value):
    return value if isinstance(value, list) else [value]


@adds(IamResponse)
def simulate_principal_policy(self):
    """As AWS answers: one result an action, with one for each resource beside it."""
    arn = self._get_param("PolicySourceArn")
    backend = iam_backends[self.current_account]["aws"]
    holders = [*backend.roles.values(), *backend.users.values()]
    holder = next((one for one in holders if one.arn == arn), None)
    if holder is None:
        raise NotFoundException(f"No such entity: {arn}")
    resources = self._get_param("ResourceArns") or ["*"]
    results = []
    for action in self._get_param("ActionNames"):
        decisions = {
            each: "allowed" if any(allows(document, action, each) for document in documents_of(holder)) else "implicitDeny"
            for each in resources
        }
        results.append(
            {
                "EvalActionName": action,
                "EvalResourceName": resources[0],
                "EvalDecision": "allowed" if all(each == "allowed" for each in decisions.values()) else "implicitDeny",
                "ResourceSpecificResults": [
                    {"EvalResourceName": each, "EvalResourceDecision": decision} for each, decision in decisions.items()
                ],
            }
        )
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def documents_of(holder):
    if hasattr(holder, "assume_role_policy_document"):
        yield from policies_of(holder)
        return
    for document in holder.policies.values():
        yield json.loads(document) if isinstance(document, str) else document
    for policy in holder.managed_policies.values():
        document = next(version.document for version in policy.versions if version.is_default)
        yield json.loads(document) if isinstance(document, str) else document
