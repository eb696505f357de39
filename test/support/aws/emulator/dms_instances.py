"""DMS: subnet groups and replication instances, which need dms-vpc-role."""

import time

from moto.ec2.models import ec2_backends

from common import TOLD, fault, random_id
from dms import Resource, mixed_in
from dms_catalogue import CLASSES, VERSIONS
from iam import can_assume, role_of

STATES = [
    ("creating", "available"),
    ("modifying", "available"),
    ("rebooting", "available"),
    ("upgrading", "available"),
    ("deleting", "gone"),
]


@mixed_in
class SubnetGroups:
    def require_vpc_role(self):
        role = role_of(self.current_account, "dms-vpc-role")
        policies = [policy.name for policy in role.managed_policies.values()] if role else []
        ready = "AmazonDMSVPCManagementRole" in policies or (role and role.policies)
        if not ready or not can_assume(self.current_account, "dms-vpc-role", "dms.amazonaws.com"):
            arn = f"arn:aws:iam::{self.current_account}:role/dms-vpc-role"
            raise fault("AccessDeniedFault", f"The IAM Role {arn} is not configured properly.")

    def subnets(self, ids):
        subnets = []
        for each in ids:
            try:
                subnets.append(ec2_backends[self.current_account][self.region].get_subnet(each))
            except Exception:
                raise fault("InvalidSubnet", f"Subnet {each} is not valid")
        if len({subnet.availability_zone for subnet in subnets}) < 2:
            raise fault(
                "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
                "Replication Subnet Group doesn't meet availability zone coverage requirement.",
            )
        return {
            "VpcId": subnets[0].vpc_id,
            "Subnets": [
                {
                    "SubnetIdentifier": subnet.id,
                    "SubnetAvailabilityZone": {"Name": subnet.availability_zone},
                    "SubnetStatus": "Active",
                }
                for subnet in subnets
            ],
        }

    def create_replication_subnet_group(self):
        given = self.given
        self.require_vpc_role()
        name = given["ReplicationSubnetGroupIdentifier"].lower()
        self.refuse_duplicate("subgrp", "ReplicationSubnetGroupIdentifier", name, "The replication subnet group")
        document = {
            "ReplicationSubnetGroupIdentifier": name,
            "ReplicationSubnetGroupDescription": given["ReplicationSubnetGroupDescription"],
            **self.subnets(given["SubnetIds"]),
            "SupportedNetworkTypes": ["IPV4"],
        }
        group = Resource("dms::resource", [("Complete", "Complete")], document, "SubnetGroupStatus")
        arn = self.arn_of("subgrp", name)
        self.store["subgrp"][arn] = group
        self.add_tags(arn, given.get("Tags"))
        return self.answer(ReplicationSubnetGroup=group.wire())

    def describe_replication_subnet_groups(self):
        filters = {"replication-subnet-group-id": lambda group: group.document["ReplicationSubnetGroupIdentifier"]}
        return self.page("subgrp", filters, "ReplicationSubnetGroups", "Subnet groups")

    def modify_replication_subnet_group(self):
        given = self.given
        arn = self.arn_of("subgrp", given["ReplicationSubnetGroupIdentifier"].lower())
        group = self.need("subgrp", arn, "Replication subnet group")
        group.document.update(self.subnets(given["SubnetIds"]))
        if given.get("ReplicationSubnetGroupDescription"):
            group.document["ReplicationSubnetGroupDescription"] = given["ReplicationSubnetGroupDescription"]
        return self.answer(ReplicationSubnetGroup=group.wire())

    def delete_replication_subnet_group(self):
        name = self.given["ReplicationSubnetGroupIdentifier"].lower()
        arn = self.arn_of("subgrp", name)
        self.need("subgrp", arn, "Replication subnet group")
        for instance in self.living("rep").values():
            group = instance.document.get("ReplicationSubnetGroup") or {}
            if group.get("ReplicationSubnetGroupIdentifier") == name:
                raise fault(
                    "InvalidResourceStateFault",
                    f"Cannot delete the subnet group '{name}' because at least one database instance: "
                    f"{instance.document['ReplicationInstanceIdentifier']} is still using it.",
                )
        del self.store["subgrp"][arn]
        self.dms_backend.tagger.delete_all_tags_for_resource(arn)
        return "{}"


@mixed_in
class Instances:
    def create_replication_instance(self):
        given = self.given
        name = given["ReplicationInstanceIdentifier"].lower()
        if given.get("ReplicationInstanceClass") not in CLASSES:
            wrong = given.get("ReplicationInstanceClass")
            raise fault("InvalidParameterValueException", f"Invalid replication instance class {wrong}")
        version = given.get("EngineVersion", "3.5.4")
        if not any(version == known and open for known, _, open in VERSIONS):
            raise fault("InvalidParameterValueException", f"No replication engine found with version: {version}")
        self.require_vpc_role()
        self.refuse_duplicate("rep", "ReplicationInstanceIdentifier", name, "Replication Instance")
        group = None
        if given.get("ReplicationSubnetGroupIdentifier"):
            arn = self.arn_of("subgrp", given["ReplicationSubnetGroupIdentifier"].lower())
            group = self.need("subgrp", arn, "Replication subnet group").wire()
        arn = self.arn_of("rep", given.get("ResourceIdentifier") or random_id())
        document = {
            "ReplicationInstanceIdentifier": name,
            "ReplicationInstanceClass": given["ReplicationInstanceClass"],
            "AllocatedStorage": given.get("AllocatedStorage", 50),
            "InstanceCreateTime": time.time(),
            "VpcSecurityGroups": [
                {"VpcSecurityGroupId": each, "Status": "active"} for each in given.get("VpcSecurityGroupIds") or []
            ],
            "AvailabilityZone": given.get("AvailabilityZone") or self.region + "a",
            "ReplicationSubnetGroup": group,
            "PreferredMaintenanceWindow": given.get("PreferredMaintenanceWindow", "sun:06:00-sun:14:00"),
            "PendingModifiedValues": {},
            "MultiAZ": given.get("MultiAZ", False),
            "EngineVersion": version,
            "AutoMinorVersionUpgrade": given.get("AutoMinorVersionUpgrade", True),
            "KmsKeyId": given.get("KmsKeyId"),
            "ReplicationInstanceArn": arn,
            "PubliclyAccessible": given.get("PubliclyAccessible", True),
            "NetworkType": given.get("NetworkType", "IPV4"),
        }
        instance = Resource("dms::replicationinstance", STATES, document, "ReplicationInstanceStatus")
        self.store["rep"][arn] = instance
        self.add_tags(arn, given.get("Tags"))
        self.add_event(name, "replication-instance", "Replication instance created", "creation")
        return self.answer(ReplicationInstance=instance.wire())

    def instance(self):
        return self.need("rep", self.given["ReplicationInstanceArn"], "Replication instance")

    def describe_replication_instances(self):
        for instance in self.living("rep").values():
            if instance.status == "available" and "ReplicationInstancePrivateIpAddress" not in instance.document:
                address = "10.9.0.10"
                instance.document["ReplicationInstancePrivateIpAddress"] = address
                instance.document["ReplicationInstancePrivateIpAddresses"] = [address]
                if instance.document["PubliclyAccessible"]:
                    instance.document["ReplicationInstancePublicIpAddresses"] = ["203.0.113.10"]
        filters = {
            "replication-instance-arn": lambda instance: instance.document["ReplicationInstanceArn"],
            "replication-instance-id": lambda instance: instance.document["ReplicationInstanceIdentifier"],
            "replication-instance-class": lambda instance: instance.document["ReplicationInstanceClass"],
            "engine-version": lambda instance: instance.document["EngineVersion"],
        }
        return self.page("rep", filters, "ReplicationInstances", "Instances")

    def modify_replication_instance(self):
        instance = self.instance()
        if instance.status != "available":
            raise fault("InvalidResourceStateFault", f"Replication instance is not available: {instance.status}")
        for key in (
            "ReplicationInstanceClass",
            "AllocatedStorage",
            "MultiAZ",
            "EngineVersion",
            "PreferredMaintenanceWindow",
            "AutoMinorVersionUpgrade",
        ):
            if key in self.given:
                instance.document[key] = self.given[key]
        if "VpcSecurityGroupIds" in self.given:
            groups = self.given["VpcSecurityGroupIds"]
            instance.document["VpcSecurityGroups"] = [
                {"VpcSecurityGroupId": each, "Status": "active"} for each in groups
            ]
        instance.to("modifying")
        return self.answer(ReplicationInstance=instance.wire())

    def reboot_replication_instance(self):
        instance = self.instance()
        if instance.status != "available":
            raise fault("InvalidResourceStateFault", f"Replication instance is not available: {instance.status}")
        instance.to("rebooting")
        return self.answer(ReplicationInstance=instance.wire())

    def delete_replication_instance(self):
        instance = self.instance()
        arn = instance.document["ReplicationInstanceArn"]
        if any(task.document["ReplicationInstanceArn"] == arn for task in self.living("task").values()):
            name = instance.document["ReplicationInstanceIdentifier"]
            raise fault(
                "InvalidResourceStateFault",
                f"Replication instance {name} has one or more associated replication tasks.",
            )
        if instance.status in ("creating", "deleting"):
            raise fault("InvalidResourceStateFault", f"Replication instance is {instance.status}")
        if TOLD["leave_interface"] and instance.document.get("ReplicationSubnetGroup"):
            groups = [group["VpcSecurityGroupId"] for group in instance.document["VpcSecurityGroups"]]
            subnet = instance.document["ReplicationSubnetGroup"]["Subnets"][0]["SubnetIdentifier"]
            ec2_backends[self.current_account][self.region].create_network_interface(
                subnet, "", group_ids=groups, description="DMSNetworkInterface"
            )
        instance.to("deleting")
        self.forget_connections(lambda of_instance, _: of_instance == arn)
        return self.answer(ReplicationInstance=instance.wire())

    def forget_connections(self, which):
        self.store["conn"] = {pair: conn for pair, conn in self.store["conn"].items() if not which(*pair)}
