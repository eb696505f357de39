"""EC2: a security group that an instance, a network interface or another group's rule refers to cannot be deleted."""

from moto.dms.models import dms_backends
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import ec2_backends
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.rds.models import rds_backends

from common import replaces
from dms import store_of


@replaces(SecurityGroupBackend, "delete_security_group")
def delete_security_group(original, self, name=None, group_id=None):
    if group_id and any(group_id in groups for groups in groups_in_use(self, group_id)):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return original(self, name, group_id)


def groups_in_use(backend, group_id):
    account, region = backend.account_id, backend.region_name
    for database in rds_backends[account][region].databases.values():
        if database.status != "gone":
            yield getattr(database, "vpc_security_group_ids", [])
    for instance in store_of(dms_backends[account][region])["rep"].values():
        if instance.status != "gone":
            yield [group["VpcSecurityGroupId"] for group in instance.document["VpcSecurityGroups"]]
    ec2 = ec2_backends[account][region]
    for interface in ec2.enis.values():
        yield [group.id for group in interface.group_set]
    for groups in ec2.groups.values():
        for group in groups.values():
            if group.id != group_id:
                yield [rule_group_id(rule) for rule in group.ingress_rules + group.egress_rules]


def rule_group_id(rule):
    source = rule.source_group
    return source.get("GroupId") if isinstance(source, dict) else None
