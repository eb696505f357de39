"""RDS instances and subnet groups.

Adds to moto: creating, backing-up, modifying, rebooting, stopping, starting, deleting; no endpoint while creating; pending
values; what is in use; a real MySQL behind the endpoint. It refuses what the reference says RDS refuses: see each `refuse`,
those of new instances in rds_create.py.
"""

import base64
import json
import os
import re

from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend
from moto.rds.responses import RDSResponse

import real_mysql
from common import TOLD, Machine, replaces

STATES = [
    ("creating", "backing-up"),
    ("backing-up", "available"),
    ("modifying", "available"),
    ("rebooting", "available"),
    ("starting", "available"),
    ("stopping", "stopped"),
    ("deleting", "gone"),
]


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


def group_of(backend, name):
    return backend.db_parameter_groups.get(name) if name else None


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
        refuse(
            "InvalidDBInstanceState", f"Cannot create a snapshot because the database instance {name} is not available."
        )
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
