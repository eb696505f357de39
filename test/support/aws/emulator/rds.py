"""RDS instances and subnet groups.

Adds to moto: creating, backing-up, modifying, rebooting, stopping, starting, deleting; no endpoint while creating; pending
values; what is in use; engine versions with their families and lifecycles; a real MySQL behind the endpoint. It refuses
what the reference says RDS refuses: see each `refuse`.
"""

import base64
import datetime
import json
import os
import re

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend
from moto.rds.responses import RDSResponse

import real_mysql
from common import TOLD, Machine, adds, random_id, replaces

STATES = [
    ("creating", "backing-up"),
    ("backing-up", "available"),
    ("modifying", "available"),
    ("rebooting", "available"),
    ("starting", "available"),
    ("stopping", "stopped"),
    ("deleting", "gone"),
]
CLASSES = [
    *(f"db.{family}.{size}" for family in ("t3", "t4g") for size in ("micro", "small", "medium")),
    *("db.m5.large", "db.m6g.large", "db.r5.large"),
]
VERSIONS = {
    "8.0": ["8.0.35", "8.0.39", "8.0.40"],
    "8.4": ["8.4.3", "8.4.5"],
}
STANDARD_SUPPORT_ENDS = {
    "8.0": datetime.datetime(2026, 7, 31, tzinfo=datetime.timezone.utc),
    "8.4": datetime.datetime(2029, 7, 31, tzinfo=datetime.timezone.utc),
}


def refuse(code, message):
    raise RDSClientError(code, message)


# -------------------------------------------------------------------- states


def _status(self):
    return self.__dict__["machine"].status if "machine" in self.__dict__ else "creating"


def _set_status(self, status):
    """moto sets the end of a change; here its beginning."""
    if "machine" not in self.__dict__:
        self.__dict__["machine"] = Machine("rds::dbinstance", STATES, "creating")
        return
    if status == "available" and self.machine.status == "stopped":
        status = "starting"
    self.machine.to({"stopped": "stopping"}.get(status, status))


def _endpoint(self):
    if self.status == "creating":
        return None
    real = os.environ.get("CDC_EMU_RDS_ENDPOINT")
    address, port = real.rsplit(":", 1) if real else (self.address, self.port)
    return {"Address": address, "Port": int(port), "HostedZoneId": "Z29XKXDKYMONMX"}


def _parameter_groups(self):
    status = self.__dict__.get("apply_status", "in-sync")
    return [
        {"DBParameterGroupName": group.name, "ParameterApplyStatus": status} for group in self.db_parameter_groups()
    ]


DBInstance.status = property(_status, _set_status)
DBInstance.endpoint = property(_endpoint)
DBInstance.db_parameter_group_status_list = property(_parameter_groups)


def remove_gone(backend):
    for name in [name for name, instance in backend.databases.items() if instance.status == "gone"]:
        del backend.databases[name]


@replaces(RDSBackend, "describe_db_instances")
def describe_db_instances(original, self, db_instance_identifier=None, filters=None):
    remove_gone(self)
    name = db_instance_identifier.lower() if db_instance_identifier else None
    return original(self, name, filters)


@replaces(RDSResponse, "describe_db_instances")
def describe_instances(original, self):
    for instance in self.backend.databases.values():
        instance.machine.advance()
    return original(self)


@replaces(MasterUserSecret, "_generate_secret_string")
def managed_secret(_, self):
    password = base64.urlsafe_b64encode(os.urandom(24)).decode()
    self.resource.__dict__["managed_password"] = password
    # No host and no port in it, which is why DMS needs another secret.
    return json.dumps({"username": self.resource.master_username or "admin", "password": password})


# -------------------------------------------------------------------- create


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


def group_of(backend, name):
    return backend.db_parameter_groups.get(name) if name else None


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
        refuse("InvalidParameterValue", f"Invalid storage size for engine name mysql and storage type {kind}: {storage}")
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


def check_password(given, required=False):
    password, managed = given.get("master_user_password"), given.get("manage_master_user_password")
    if password and managed:
        refuse(
            "InvalidParameterCombination",
            "You can't specify MasterUserPassword when ManageMasterUserPassword is true.",
        )
    if required and not password and not managed:
        refuse("InvalidParameterValue", "The parameter MasterUserPassword must be provided and must not be blank.")
    if password and (not 8 <= len(password) <= 41 or re.search(r'[^!-~]|[/"@]', password)):
        refuse(
            "InvalidParameterValue",
            "The parameter MasterUserPassword is not a valid password. "
            "Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
        )


def check_retention(days):
    if not 0 <= int(days) <= 35:
        refuse("InvalidParameterValue", f"Invalid backup retention period: {days}")
    if TOLD["free_plan"] and int(days) > 1:
        refuse(
            "FreeTierRestrictionError",
            "The specified backup retention period exceeds the maximum available to free tier customers.",
        )


def check_network(backend, given):
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    if not given.get("db_subnet_group_name"):
        vpc = ec2.default_vpc
        if vpc is None or not ec2.describe_subnets(filters={"vpc-id": [vpc.id]}):
            refuse("InvalidSubnet", "No default subnet detected in VPC.")
    for group in given.get("vpc_security_group_ids") or []:
        if ec2.get_security_group_from_id(group) is None:
            refuse("InvalidParameterValue", f"Invalid security group , groupId= {group}, groupName=.")


# -------------------------------------------------------------------- change

AT_NEXT_WINDOW = {
    "db_instance_class": "DBInstanceClass",
    "allocated_storage": "AllocatedStorage",
    "engine_version": "EngineVersion",
    "port": "Port",
    "backup_retention_period": "BackupRetentionPeriod",
    "multi_az": "MultiAZ",
}


@replaces(RDSBackend, "modify_db_instance")
def modify_db_instance(original, self, name, given):
    given, name = dict(given), name.lower()
    instance = self.describe_db_instances(name)[0]
    if instance.status not in ("available", "storage-optimization"):
        refuse("InvalidDBInstanceState", "Database instance is not in available state.")
    check_password(given)
    if "backup_retention_period" in given:
        check_retention(given["backup_retention_period"])
    at_once = bool(given.get("apply_immediately"))
    group = given.get("db_parameter_group_name")
    if group and group != instance.db_parameter_group_name:
        instance.__dict__["apply_status"] = "pending-reboot"
    if not at_once:
        for key, shown in AT_NEXT_WINDOW.items():
            if given.get(key) is not None and given[key] != getattr(instance, key):
                pending = instance.pending_modified_values
                instance.pending_modified_values = {**pending, shown: given.pop(key)}
    result = original(self, name, given)
    if at_once:
        instance.status = "modifying"
    if given.get("master_user_password"):
        instance.__dict__.pop("managed_password", None)
        real_mysql.set_password(instance)
    return result


@replaces(RDSBackend, "reboot_db_instance")
def reboot_db_instance(_, self, name):
    instance = self.describe_db_instances(name)[0]
    if instance.status != "available":
        refuse("InvalidDBInstanceState", f"Instance {name} is not in available state.")
    instance.status = "rebooting"
    instance.__dict__["apply_status"] = "in-sync"
    real_mysql.apply_parameters(group_of(self, instance.db_parameter_group_name))
    return instance


@replaces(RDSBackend, "delete_db_instance")
def delete_db_instance(original, self, db_instance_identifier, **given):
    name = db_instance_identifier.lower()
    snapshot, skip = given.get("final_db_snapshot_identifier"), given.get("skip_final_snapshot", False)
    instance = self.describe_db_instances(name)[0]
    if skip and snapshot:
        refuse(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier can not be specified when deleting a instance with SkipFinalSnapshot.",
        )
    if not skip and not snapshot:
        refuse(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        )
    if instance.status == "deleting":
        refuse("InvalidDBInstanceState", f"Instance {name} is already being deleted.")
    if snapshot and instance.status != "available":
        refuse("InvalidDBInstanceState", f"Cannot create a snapshot because the database instance {name} is not available.")
    instance = original(self, name, snapshot, skip, given.get("delete_automated_backups", True))
    instance.status = "deleting"
    self.databases[name] = instance
    others = [other for other in self.databases.values() if other.status not in ("deleting", "gone")]
    real_mysql.delete(instance, last=not others)
    return instance


# -------------------------------------------------------------------- subnet groups


@replaces(RDSBackend, "create_subnet_group")
def create_subnet_group(original, self, subnet_name, description, subnets, tags):
    if subnet_name in self.subnet_groups:
        refuse("DBSubnetGroupAlreadyExists", f"The DB subnet group {subnet_name} already exists.")
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        refuse(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            "Add subnets to cover at least 2 AZs.",
        )
    return original(self, subnet_name, description, subnets, tags)


@replaces(RDSBackend, "delete_subnet_group")
def delete_subnet_group(original, self, name):
    remove_gone(self)
    for instance in self.databases.values():
        if instance.__dict__.get("_db_subnet_group_name") == name:
            refuse(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database instance: "
                f"{instance.db_instance_identifier} is still using it.",
            )
    return original(self, name)


# -------------------------------------------------------------------- catalogue


@adds(RDSResponse)
def describe_db_engine_versions(self):
    wanted, family = self.params.get("EngineVersion"), self.params.get("DBParameterGroupFamily")
    found = [
        (version, f"mysql{major}")
        for major, minors in VERSIONS.items()
        for version in minors
        if (not wanted or version == wanted or major == wanted) and family in (None, f"mysql{major}")
    ]
    if self.params.get("Engine", "mysql") != "mysql":
        found = []
    if self.params.get("DefaultOnly"):
        found = found[-1:]
    return ActionResult(
        {
            "DBEngineVersions": [
                {
                    "Engine": "mysql",
                    "EngineVersion": version,
                    "MajorEngineVersion": version.rsplit(".", 1)[0],
                    "DBParameterGroupFamily": of_family,
                    "Status": "available",
                    "DBEngineDescription": "MySQL Community Edition",
                    "SupportedCACertificateIdentifiers": ["rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"],
                }
                for version, of_family in found
            ]
        }
    )


@adds(RDSResponse)
def describe_db_major_engine_versions(self):
    return ActionResult(
        {
            "DBMajorEngineVersions": [
                {
                    "Engine": "mysql",
                    "MajorEngineVersion": major,
                    "SupportedEngineLifecycles": [
                        {
                            "LifecycleSupportName": "open-source-rds-standard-support",
                            "LifecycleSupportStartDate": end - datetime.timedelta(days=3 * 365),
                            "LifecycleSupportEndDate": end,
                        },
                        {
                            "LifecycleSupportName": "open-source-rds-extended-support",
                            "LifecycleSupportStartDate": end + datetime.timedelta(days=1),
                            "LifecycleSupportEndDate": end + datetime.timedelta(days=3 * 365),
                        },
                    ],
                }
                for major, end in STANDARD_SUPPORT_ENDS.items()
                if self.params.get("MajorEngineVersion") in (None, major)
            ]
        }
    )


@adds(RDSResponse)
def describe_orderable_db_instance_options(self):
    if self.params.get("Engine") not in ("mysql", "mariadb"):
        return ActionResult({"OrderableDBInstanceOptions": []})
    return ActionResult(
        {
            "OrderableDBInstanceOptions": [
                {
                    "Engine": self.params["Engine"],
                    "EngineVersion": self.params.get("EngineVersion") or VERSIONS["8.4"][-1],
                    "DBInstanceClass": each,
                    "LicenseModel": "general-public-license",
                    "AvailabilityZones": [{"Name": self.region + zone} for zone in "abc"],
                    "MultiAZCapable": True,
                    "Vpc": True,
                    "StorageType": "gp3",
                    "MinStorageSize": 20,
                    "MaxStorageSize": 65536,
                }
                for each in CLASSES
                if self.params.get("DBInstanceClass") in (None, each)
            ]
        }
    )
