"""RDS: which new instances it refuses."""

import datetime
import re

from moto.ec2.models import ec2_backends
from moto.rds.models import RDSBackend

import real_mysql
from common import TOLD, random_id, replaces
from rds import check_password, check_retention, group_of, refuse, remove_gone
from rds_catalogue import CLASSES, STANDARD_SUPPORT_ENDS, VERSIONS


@replaces(RDSBackend, "create_db_instance")
def create_db_instance(original, self, given):
    given = dict(given)
    given["db_instance_identifier"] = name = given["db_instance_identifier"].lower()
    remove_gone(self)
    if name in self.databases:
        return original(self, given)
    if given.get("engine") == "mysql":
        given["engine_version"] = engine_version(given.get("engine_version"))
        check_new(self, given)
    instance = original(self, given)
    instance.dbi_resource_id = "db-" + random_id()
    instance.pending_modified_values = {}
    real_mysql.create(instance, group_of(self, given.get("db_parameter_group_name")))
    return instance


def engine_version(wanted):
    if not wanted:
        return VERSIONS["8.4"][-1]
    if wanted in VERSIONS:
        return VERSIONS[wanted][-1]
    if not any(wanted in minors for minors in VERSIONS.values()):
        refuse("InvalidParameterCombination", f"Cannot find version {wanted} for mysql")
    return wanted


def check_new(backend, given):
    name, major = given["db_instance_identifier"], given["engine_version"].rsplit(".", 1)[0]
    if not re.fullmatch(r"[a-z](?:-?[a-z0-9])*", name) or len(name) > 63:
        refuse("InvalidParameterValue", f"The parameter DBInstanceIdentifier is not a valid identifier: {name}")
    if given.get("db_instance_class") not in CLASSES:
        refuse("InvalidParameterValue", f"Invalid DB Instance class: {given.get('db_instance_class')}")
    lifecycle = given.get("engine_lifecycle_support", "open-source-rds-extended-support")
    if lifecycle.endswith("-disabled") and STANDARD_SUPPORT_ENDS[major] < datetime.datetime.now(datetime.timezone.utc):
        refuse(
            "InvalidParameterCombination",
            f"MySQL {major} is past its end of standard support date, and RDS Extended Support is disabled.",
        )
    group = group_of(backend, given.get("db_parameter_group_name"))
    if group and group.family != f"mysql{major}":
        refuse(
            "InvalidParameterCombination",
            f"The parameter group {group.name} with DBParameterGroupFamily {group.family} can't be used for this "
            f"instance. Please use a Parameter Group with DBParameterGroupFamily mysql{major}",
        )
    storage = int(given.get("allocated_storage") or 0)
    if not 20 <= storage <= 65536:
        kind = given.get("storage_type") or "gp2"
        refuse(
            "InvalidParameterValue", f"Invalid storage size for engine name mysql and storage type {kind}: {storage}"
        )
    if not given.get("master_username"):
        refuse("InvalidParameterValue", "The parameter MasterUsername must be provided and must not be blank.")
    check_password(given, required=True)
    check_retention(given.get("backup_retention_period", 1))
    if TOLD["free_plan"] and not given["db_instance_class"].endswith(".micro"):
        refuse(
            "FreeTierRestrictionError",
            "The specified DB instance class is not available to free tier customers.",
        )
    check_network(backend, given)


def check_network(backend, given):
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    if not given.get("db_subnet_group_name"):
        vpc = ec2.default_vpc
        if vpc is None or not ec2.describe_subnets(filters={"vpc-id": [vpc.id]}):
            refuse("InvalidSubnet", "No default subnet detected in VPC.")
    name = given.get("db_subnet_group_name")
    subnets = backend.subnet_groups.get(name) if name else None
    vpc = subnets.vpc_id if subnets else ec2.default_vpc.id
    for group in given.get("vpc_security_group_ids") or []:
        found = ec2.get_security_group_from_id(group)
        if found is None:
            refuse("InvalidParameterValue", f"Invalid security group , groupId= {group}, groupName=.")
        if found.vpc_id != vpc:
            refuse("InvalidParameterCombination", "The DB instance and EC2 security group are in different VPCs.")
