"""EC2: a security group that an instance, a network interface, a VPC endpoint or another group's rule refers to cannot be
deleted; a route table takes one way to S3."""

from moto.dms.models import dms_backends
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.vpcs import VPCBackend
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
    for endpoint in ec2.vpc_end_points.values():
        if endpoint.state != "deleted":
            yield endpoint.security_group_ids
    for groups in ec2.groups.values():
        for group in groups.values():
            if group.id != group_id:
                yield [rule_group_id(rule) for rule in group.ingress_rules + group.egress_rules]


@replaces(VPCBackend, "create_vpc_endpoint")
def create_vpc_endpoint(original, self, vpc_id, service_name, endpoint_type, policy_document, route_table_ids, **more):
    for other in self.vpc_end_points.values():
        if other.state == "deleted" or other.service_name != service_name:
            continue
        for table in route_table_ids or []:
            if table in (other.route_table_ids or []):
                raise RouteAlreadyExists(f"route table {table} already has a route with destination-prefix-list-id")
    return original(
        self,
        vpc_id=vpc_id,
        service_name=service_name,
        endpoint_type=endpoint_type,
        policy_document=policy_document,
        route_table_ids=route_table_ids,
        **more,
    )


class RouteAlreadyExists(EC2ClientError):
    def __init__(self, message):
        super().__init__("RouteAlreadyExists", message)


def rule_group_id(rule):
    source = rule.source_group
    return source.get("GroupId") if isinstance(source, dict) else None
