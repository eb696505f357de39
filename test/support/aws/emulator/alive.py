"""Everything alive in the account: names for "nothing is left", settings for "it is as it was".

Not counted: what every account has (default VPCs, groups and parameter groups, AWS's policies).
"""

import json
import re

from moto.awslambda.models import lambda_backends
from moto.dms.models import dms_backends
from moto.ec2.models import ec2_backends
from moto.glue.models import glue_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.rds.models import rds_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

from dms import KINDS, store_of

DMS_NAMES = {
    "task": "ReplicationTaskIdentifier",
    "rep": "ReplicationInstanceIdentifier",
    "endpoint": "EndpointIdentifier",
    "subgrp": "ReplicationSubnetGroupIdentifier",
    "cert": "CertificateIdentifier",
}


def alive():
    """{kind: ["region:name", …]}, without the kinds of which nothing lives; what is being deleted lives, and says so."""
    kinds = {}
    for kind, region, name, document in resources():
        deleting = " (deleting)" if document().get("status") == "deleting" else ""
        kinds.setdefault(kind, []).append(f"{region}:{name}{deleting}")
    return {kind: sorted(names) for kind, names in sorted(kinds.items())}


def settings():
    """{kind: {"region:name": settings}}; ids are replaced by names or by their shape, so that two runs can be compared."""
    kinds, names = {}, {}
    for kind, region, name, document in resources():
        document = document()
        for given in document.pop("ids", []):
            names[given] = f"<{kind} {name}>"
        kinds.setdefault(kind, {})[f"{region}:{name}"] = document
    text = json.dumps(kinds, sort_keys=True, default=str)
    for given, name in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(given, name)
    return json.loads(re.sub(r"\b(sg|sgr|vpc|vpce|subnet|eni|rtb)-[0-9a-f]{8,17}\b", r"<\1>", text))


def resources():
    """(kind, region, name, function that makes its settings); settings may hold `status`, and `ids` that others refer to."""
    for describe, backends in (
        (dms, dms_backends),
        (rds, rds_backends),
        (lambdas, lambda_backends),
        (glue, glue_backends),
        (ec2, ec2_backends),
        (logs, logs_backends),
        (secrets, secretsmanager_backends),
        (iam, iam_backends),
        (s3, s3_backends),
    ):
        for regions in list(backends.values()):
            for region, backend in list(regions.items()):
                for kind, name, document in describe(backend):
                    yield kind, region, name, document


def dms(backend):
    for kind in KINDS:
        for arn, resource in store_of(backend)[kind].items():
            if resource.status != "gone":
                yield (
                    f"dms:{kind}",
                    resource.document[DMS_NAMES[kind]],
                    lambda r=resource, a=arn: {
                        **{
                            key: value
                            for key, value in r.wire().items()
                            if not re.search("Date$|Time$|Stats$|Checkpoint", key)
                        },
                        "status": r.status,
                        "tags": backend.tagger.get_tag_dict_for_resource(a),
                        "ids": [a, a.split(":")[-1]] if kind != "subgrp" else [a],
                    },
                )


def rds(backend):
    for name, instance in backend.databases.items():
        if instance.status != "gone":
            yield (
                "rds",
                name,
                lambda i=instance: {
                    **{
                        key: getattr(i, key)
                        for key in (
                            "status db_instance_class engine engine_version allocated_storage storage_type storage_encrypted "
                            "backup_retention_period publicly_accessible multi_az deletion_protection master_username db_name "
                            "db_parameter_group_name vpc_security_group_ids enabled_cloudwatch_logs_exports"
                        ).split()
                    },
                    "tags": tag_dict(i.tags),
                    "ids": [i.dbi_resource_id],
                },
            )
    for name, group in backend.db_parameter_groups.items():
        yield "rds-pg", name, lambda g=group: {"family": g.family, "parameters": g.parameters, "tags": tag_dict(g.tags)}
    for name, group in backend.subnet_groups.items():
        yield "rds-subgrp", name, lambda g=group: {"subnets": len(g.subnets), "tags": tag_dict(g.tags)}
    for name, snapshot in backend.database_snapshots.items():
        # An instance's own backups go with it, unless it is deleted without them.
        if snapshot.snapshot_type == "automated" and snapshot.db_instance_identifier in backend.databases:
            continue
        yield "rds-snapshot", name, lambda s=snapshot: {"tags": tag_dict(s.tags)}


def lambdas(backend):
    for function in backend.list_functions():
        yield (
            "lambda",
            function.function_name,
            lambda f=function: {
                **{
                    key: getattr(f, key)
                    for key in "run_time handler role memory_size timeout environment_vars code_sha_256 tags".split()
                },
                "policy": f.policy.statements,
                "reserved": f.reserved_concurrency,
            },
        )


def glue(backend):
    for name, job in backend.jobs.items():
        keys = "role command default_arguments timeout max_retries worker_type number_of_workers glue_version".split()
        yield (
            "glue",
            name,
            lambda j=job: {
                **{key: getattr(j, key) for key in keys},
                "execution": j.execution_property,
                "tags": backend.get_tags(j.get_arn() if hasattr(j, "get_arn") else j.arn),
            },
        )
    for name, trigger in backend.triggers.items():
        yield "glue:trigger", name, lambda t=trigger: {
            "schedule": t.schedule,
            "actions": [action.as_dict() for action in t.actions],
            "state": t.state,
            "tags": backend.get_tags(t.arn),
        }


def ec2(backend):
    for groups in backend.groups.values():
        for group in groups.values():
            if group.name != "default":
                yield (
                    "ec2:security-group",
                    group.name,
                    lambda g=group: {
                        "ingress": sorted(rule_text(rule) for rule in g.ingress_rules),
                        "egress": sorted(rule_text(rule) for rule in g.egress_rules),
                        "tags": tag_dict(g.get_tags()),
                        "ids": [g.id],
                    },
                )
    for interface in backend.enis.values():
        yield "ec2:network-interface", interface.id, lambda: {}
    for endpoint in backend.vpc_end_points.values():
        if endpoint.state != "deleted":
            yield "ec2:vpc-endpoint", endpoint.service_name, lambda e=endpoint: {"tags": tag_dict(e.get_tags())}
    for vpc in backend.vpcs.values():
        if vpc.is_default != "true" and vpc.is_default is not True:
            yield "ec2:vpc", vpc.id, lambda: {}


def rule_text(rule):
    source, ranges = rule.source_group, rule.ip_range
    where = source.get("GroupId") if isinstance(source, dict) else source
    return f"{rule.ip_protocol} {rule.from_port}-{rule.to_port} {where or ''}{(ranges or {}).get('CidrIp', '')}"


def logs(backend):
    for name, group in backend.groups.items():
        yield "logs", name, lambda g=group: {"retention": g.retention_in_days}


def secrets(backend):
    for secret in backend.secrets.values():
        # Those that RDS makes go with their instances.
        if not secret.name.startswith("rds!"):
            yield "secret", secret.name, lambda s=secret: {"tags": tag_dict(s.tags or []), "ids": [s.arn]}


def iam(backend):
    for role in backend.roles.values():
        yield (
            "iam:role",
            role.name,
            lambda r=role: {
                "trust": r.assume_role_policy_document,
                "inline": {name: parsed(document) for name, document in r.policies.items()},
                "managed": sorted(policy.arn for policy in r.managed_policies.values()),
                "tags": tag_dict(r.get_tags() if hasattr(r, "get_tags") else r.tags),
            },
        )
    for policy in backend.managed_policies.values():
        if ":iam::aws:" not in policy.arn:
            yield "iam:policy", policy.name, lambda: {}
    for user in backend.users.values():
        yield "iam:user", user.name, lambda: {}


def s3(backend):
    for bucket in backend.buckets.values():
        yield (
            "s3",
            bucket.name,
            lambda b=bucket: {
                "policy": parsed(b.policy.decode()) if b.policy else None,
                "public_access_block": b.public_access_block.to_config_dict() if b.public_access_block else None,
                "ownership": b.ownership_rule,
                "versioning": b.versioning_status,
                "lifecycle": [rule.to_config_dict() for rule in b.rules],
                "notification": b.notification_configuration.to_config_dict() if b.notification_configuration else None,
                "tags": backend.tagger.get_tag_dict_for_resource(b.arn),
                "objects": {key: version.etag for key, version in b.keys.items()},
            },
        )


def parsed(document):
    return json.loads(document) if isinstance(document, str) else document


def tag_dict(tags):
    if isinstance(tags, dict):
        return tags
    return {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in tags or []}
