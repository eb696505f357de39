"""DMS, anew: moto's answers cannot be read by the SDK for JavaScript.

Life cycles of instances, endpoints, connections and tasks; what refers to what and what is in use; times as numbers, ARNs
with random ids, paging, tags, events, table statistics (of zeros), certificates, engine versions with their dates.
It refuses what the reference says DMS refuses: see each `raise`.
"""

import fnmatch
import json
import re
import time

from moto.dms import models
from moto.dms.responses import DatabaseMigrationServiceResponse
from moto.ec2.models import ec2_backends
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends

import dms_connection
from common import TOLD, Machine, fault, random_id
from iam import can_assume, may, role_of

TASK_STATES = [
    ("creating", "ready"),
    ("starting", "running"),
    ("stopping", "stopped"),
    ("modifying", "stopped"),
    ("deleting", "gone"),
]
INSTANCE_STATES = [
    ("creating", "available"),
    ("modifying", "available"),
    ("rebooting", "available"),
    ("upgrading", "available"),
    ("deleting", "gone"),
]
ENGINES = {"mysql": "MySQL", "mariadb": "MariaDB", "aurora": "Amazon Aurora MySQL", "s3": "Amazon S3"}
CLASSES = ["dms.t3.micro", "dms.t3.small", "dms.t3.medium", "dms.c5.large", "dms.r5.large"]
# (version, life cycle, whether it still takes new instances)
VERSIONS = [
    ("3.6.1", "ACTIVE", True),
    ("3.6.0", "DEPRECATED", False),
    ("3.5.4", "DEFAULT_VERSION", True),
    ("3.5.3", "DEPRECATED", False),
]
KINDS = ("task", "rep", "endpoint", "subgrp", "cert")


class Resource(Machine):
    """A document as it goes over the wire, its state under `state_key`, and what the wire never sees."""

    def __init__(self, model, transitions, document, state_key):
        super().__init__(model, transitions)
        self.document, self.state_key, self.hidden = document, state_key, {}

    def wire(self):
        document = {**self.document, self.state_key: self.status}
        return {key: value for key, value in document.items() if value is not None}


def store_of(backend):
    """moto empties the backend on reset, and our store with it."""
    if not hasattr(backend, "pipeline_store"):
        backend.pipeline_store = {**{kind: {} for kind in KINDS}, "conn": {}, "events": []}
    return backend.pipeline_store


class Dms:
    """Mixed into moto's response class: a method for each action."""

    @property
    def given(self):
        return json.loads(self.body or "{}")

    @property
    def store(self):
        return store_of(self.dms_backend)

    def arn_of(self, kind, name):
        return f"arn:aws:dms:{self.region}:{self.current_account}:{kind}:{name}"

    def answer(self, **document):
        return json.dumps(document)

    def living(self, kind):
        resources = self.store[kind]
        for arn in [arn for arn, resource in resources.items() if resource.status == "gone"]:
            del resources[arn]
            self.dms_backend.tagger.delete_all_tags_for_resource(arn)
        return resources

    def need(self, kind, arn, what):
        resource = self.living(kind).get(arn)
        if resource is None:
            raise fault("ResourceNotFoundFault", f"{what} {arn} not found.")
        return resource

    def refuse_duplicate(self, kind, key, name, what):
        if any(resource.document[key] == name for resource in self.living(kind).values()):
            raise fault("ResourceAlreadyExistsFault", f"{what} {name} already exists.")

    def add_tags(self, arn, tags):
        if tags:
            self.dms_backend.tagger.tag_resource(arn, tags)

    def add_event(self, name, kind, message, category):
        self.store["events"].append(
            {
                "SourceIdentifier": name,
                "SourceType": kind,
                "Message": message,
                "EventCategories": [category],
                "Date": time.time(),
            }
        )

    def page(self, kind, filters, out, what):
        """A Describe: states go on, filters that find nothing are a fault, pages of 20 to 100."""
        for resource in list(self.living(kind).values()):
            resource.advance()
        found = list(self.living(kind).values())
        wanted = self.given.get("Filters") or []
        for each in wanted:
            value = filters.get(each["Name"])
            if value is None:
                raise fault("InvalidParameterValueException", f"Unrecognized filter name: {each['Name']}")
            patterns = [pattern.lower() for pattern in each["Values"]]
            found = [
                resource
                for resource in found
                if any(fnmatch.fnmatchcase(str(value(resource)).lower(), pattern) for pattern in patterns)
            ]
        if wanted and not found:
            raise fault("ResourceNotFoundFault", f"No {what} found matching provided filters")
        size, start = self.given.get("MaxRecords") or 100, int(self.given.get("Marker") or 0)
        if not 20 <= size <= 100:
            raise fault("InvalidParameterValueException", f"Invalid MaxRecords {size}, must be between 20 and 100")
        marker = {"Marker": str(start + size)} if len(found) > start + size else {}
        return self.answer(**{out: [resource.wire() for resource in found[start : start + size]]}, **marker)

    # ---------------------------------------------------------------- subnet groups

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

    # ---------------------------------------------------------------- instances

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
        instance = Resource("dms::replicationinstance", INSTANCE_STATES, document, "ReplicationInstanceStatus")
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
            instance.document["VpcSecurityGroups"] = [{"VpcSecurityGroupId": each, "Status": "active"} for each in groups]
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
                "InvalidResourceStateFault", f"Replication instance {name} has one or more associated replication tasks."
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

    # ---------------------------------------------------------------- certificates

    def import_certificate(self):
        given = self.given
        name = given["CertificateIdentifier"].lower()
        self.refuse_duplicate("cert", "CertificateIdentifier", name, "The certificate")
        pem = given.get("CertificatePem") or ""
        if "-----BEGIN CERTIFICATE-----" not in pem:
            raise fault("InvalidCertificateFault", "The certificate was not valid.")
        arn = self.arn_of("cert", given.get("ResourceIdentifier") or random_id())
        document = {
            "CertificateIdentifier": name,
            "CertificateCreationDate": time.time(),
            "CertificatePem": pem,
            "CertificateArn": arn,
            "CertificateOwner": self.current_account,
        }
        # It has no state to show.
        certificate = Resource("dms::resource", [("there", "there")], document, "Status")
        self.store["cert"][arn] = certificate
        self.add_tags(arn, given.get("Tags"))
        return self.answer(Certificate=self.without_status(certificate))

    def without_status(self, certificate):
        return {key: value for key, value in certificate.wire().items() if key != "Status"}

    def describe_certificates(self):
        filters = {
            "certificate-arn": lambda certificate: certificate.document["CertificateArn"],
            "certificate-id": lambda certificate: certificate.document["CertificateIdentifier"],
        }
        return self.page("cert", filters, "Certificates", "Certificates")

    def delete_certificate(self):
        arn = self.given["CertificateArn"]
        certificate = self.need("cert", arn, "Certificate")
        if any(endpoint.document.get("CertificateArn") == arn for endpoint in self.living("endpoint").values()):
            raise fault("InvalidResourceStateFault", f"Certificate {arn} is in use by one or more endpoints.")
        del self.store["cert"][arn]
        self.dms_backend.tagger.delete_all_tags_for_resource(arn)
        return self.answer(Certificate=self.without_status(certificate))

    # ---------------------------------------------------------------- endpoints

    def create_endpoint(self):
        given = self.given
        name = given["EndpointIdentifier"].lower()
        self.refuse_duplicate("endpoint", "EndpointIdentifier", name, "Endpoint")
        if given.get("EndpointType") not in ("source", "target"):
            raise fault("InvalidParameterValueException", f"Invalid endpoint type {given.get('EndpointType')}")
        if given.get("EngineName") not in ENGINES:
            raise fault("InvalidParameterValueException", f"Endpoint engine {given.get('EngineName')} is not supported")
        self.check_endpoint(given)
        arn = self.arn_of("endpoint", given.get("ResourceIdentifier") or random_id())
        unseen = ("Tags", "Password", "ResourceIdentifier")
        document = {key: value for key, value in given.items() if key not in unseen}
        for settings in document.values():
            if isinstance(settings, dict):
                settings.pop("Password", None)
        document.update(
            EndpointIdentifier=name,
            EndpointArn=arn,
            EngineDisplayName=ENGINES[given["EngineName"]],
            SslMode=given.get("SslMode", "none"),
            EndpointType=given["EndpointType"].upper(),
        )
        endpoint = Resource("dms::resource", [("active", "active"), ("deleting", "gone")], document, "Status")
        endpoint.hidden["password"] = given.get("Password")
        self.store["endpoint"][arn] = endpoint
        self.add_tags(arn, given.get("Tags"))
        return self.answer(Endpoint=endpoint.wire())

    def check_endpoint(self, given):
        mode = given.get("SslMode")
        if given["EngineName"] == "s3":
            settings = given.get("S3Settings") or {}
            if not settings.get("BucketName") or not settings.get("ServiceAccessRoleArn"):
                raise combination("BucketName and ServiceAccessRoleArn are required for S3 endpoints")
            if mode not in (None, "none"):
                raise combination(f"SSL mode {mode} is not supported for engine s3")
            if settings.get("PreserveTransactions"):
                if not settings.get("CdcPath"):
                    raise combination("PreserveTransactions needs CdcPath")
                for other in ("DatePartitionEnabled", "AddColumnName"):
                    if settings.get(other):
                        raise combination(f"PreserveTransactions cannot be used with {other}")
            self.require_role(settings["ServiceAccessRoleArn"], "dms.amazonaws.com")
            return
        settings = given.get("MySQLSettings") or {}
        secret = settings.get("SecretsManagerSecretId") or given.get("SecretsManagerSecretId")
        clear = [key for key in ("ServerName", "Port", "Username", "Password") if given.get(key) or settings.get(key)]
        if secret and clear:
            raise combination(f"{clear[0]} cannot be used with SecretsManagerSecretId")
        if secret and not settings.get("SecretsManagerSecretId"):
            raise combination("Password must be provided")
        if secret:
            self.require_role(settings.get("SecretsManagerAccessRoleArn"))
        elif len(clear) < 4:
            raise combination("ServerName, Port, Username and Password are required")
        elif re.search(r"[;.:+]", given.get("Password", "")):
            raise fault("InvalidParameterValueException", "The password must not contain ; . : or +")
        if mode not in (None, "none", "verify-ca", "verify-full"):
            raise fault("InvalidParameterValueException", f"SSL mode {mode} is not supported for engine mysql")
        if mode in ("verify-ca", "verify-full"):
            if not given.get("CertificateArn"):
                raise combination(f"SSL mode {mode} needs a certificate")
            self.need("cert", given["CertificateArn"], "Certificate")

    def require_role(self, arn, *principals):
        """Without principals only that it is there: whether DMS may assume it shows when it is used."""
        ready = can_assume(self.current_account, arn, *principals) if principals else role_of(self.current_account, arn)
        if not ready:
            raise fault("AccessDeniedFault", f"The IAM Role {arn} is not configured properly.")

    def describe_endpoints(self):
        filters = {
            "endpoint-arn": lambda endpoint: endpoint.document["EndpointArn"],
            "endpoint-id": lambda endpoint: endpoint.document["EndpointIdentifier"],
            "endpoint-type": lambda endpoint: endpoint.document["EndpointType"],
            "engine-name": lambda endpoint: endpoint.document["EngineName"],
        }
        return self.page("endpoint", filters, "Endpoints", "Endpoints")

    def modify_endpoint(self):
        given = self.given
        arn = given["EndpointArn"]
        endpoint = self.need("endpoint", arn, "Endpoint")
        for task in self.tasks_of(arn):
            if task.status in ("running", "starting", "stopping"):
                raise fault("InvalidResourceStateFault", f"Endpoint {arn} is in use by a running task")
        for key, value in given.items():
            if key in ("EndpointArn", "Password", "ExactSettings"):
                continue
            if isinstance(value, dict) and not given.get("ExactSettings"):
                value = {**(endpoint.document.get(key) or {}), **value}
            endpoint.document[key] = value.upper() if key == "EndpointType" else value
        if "Password" in given:
            endpoint.hidden["password"] = given["Password"]
        # What was tested is another endpoint now.
        self.forget_connections(lambda _, of_endpoint: of_endpoint == arn)
        return self.answer(Endpoint=endpoint.wire())

    def tasks_of(self, endpoint):
        keys = ("SourceEndpointArn", "TargetEndpointArn")
        return [task for task in self.living("task").values() if endpoint in [task.document[key] for key in keys]]

    def delete_endpoint(self):
        arn = self.given["EndpointArn"]
        endpoint = self.need("endpoint", arn, "Endpoint")
        if self.tasks_of(arn):
            name = endpoint.document["EndpointIdentifier"]
            raise fault("InvalidResourceStateFault", f"Endpoint {name} is part of one or more ReplicationTasks.")
        endpoint.to("deleting")
        self.forget_connections(lambda _, of_endpoint: of_endpoint == arn)
        return self.answer(Endpoint=endpoint.wire())

    # ---------------------------------------------------------------- connections

    def test_connection(self):
        instance = self.instance()
        pair = (self.given["ReplicationInstanceArn"], self.given["EndpointArn"])
        endpoint = self.need("endpoint", pair[1], "Endpoint")
        if instance.status != "available":
            raise fault("InvalidResourceStateFault", "Replication instance is not available")
        if pair in self.store["conn"] and self.store["conn"][pair].status == "testing":
            raise fault("InvalidResourceStateFault", "Test connection is already in progress")
        message = TOLD["connection_fail"] or self.why_unreachable(endpoint)
        document = {
            "ReplicationInstanceArn": pair[0],
            "EndpointArn": pair[1],
            "EndpointIdentifier": endpoint.document["EndpointIdentifier"],
            "ReplicationInstanceIdentifier": instance.document["ReplicationInstanceIdentifier"],
        }
        end = "failed" if message else "successful"
        connection = Resource("dms::connection", [("testing", end)], document, "Status")
        connection.hidden["message"] = message
        self.store["conn"][pair] = connection
        return self.answer(Connection=connection.wire())

    def why_unreachable(self, endpoint):
        """What a test of the connection would find, or None."""
        document = endpoint.document
        if document["EngineName"] == "s3":
            return self.why_no_bucket(document["S3Settings"])
        settings = document.get("MySQLSettings") or {}
        secret_id = settings.get("SecretsManagerSecretId")
        pem = None
        if document.get("CertificateArn"):
            pem = self.need("cert", document["CertificateArn"], "Certificate").document["CertificatePem"]
        if not secret_id:
            address = {
                "host": document.get("ServerName"),
                "port": document.get("Port"),
                "username": document.get("Username"),
                "password": endpoint.hidden["password"],
            }
            return dms_connection.why_no_login(address, document["SslMode"], pem)
        role = settings["SecretsManagerAccessRoleArn"]
        # The regional principal: with dms.amazonaws.com alone the test fails.
        if not can_assume(self.current_account, role, f"dms.{self.region}.amazonaws.com"):
            return f"{FAILED} Failed to retrieve secret. Unable to assume role {role}"
        try:
            secret = secretsmanager_backends[self.current_account][self.region].describe_secret(secret_id).to_dict()
            value = secretsmanager_backends[self.current_account][self.region].get_secret_value(secret_id, None, None)
        except Exception as error:
            return f"{FAILED} Failed to retrieve secret. {error}"
        if not may(self.current_account, role, "secretsmanager:GetSecretValue", secret["ARN"]):
            return f"{FAILED} Failed to retrieve secret. {role} may not call secretsmanager:GetSecretValue"
        address = json.loads(value["SecretString"])
        missing = [key for key in ("host", "port", "username", "password") if not address.get(key)]
        if missing:
            return f"{FAILED} Failed to retrieve secret. The secret has no {missing[0]}"
        return dms_connection.why_no_login(address, document["SslMode"], pem)

    def why_no_bucket(self, settings):
        from moto.s3.models import s3_backends

        bucket, role = settings["BucketName"], settings["ServiceAccessRoleArn"]
        if bucket not in s3_backends[self.current_account]["aws"].buckets:
            return f"{FAILED} Failed to connect to S3: bucket {bucket} does not exist"
        if not can_assume(self.current_account, role, "dms.amazonaws.com"):
            return f"{FAILED} Failed to connect to S3: unable to assume role {role}"
        for action, resource in (
            ("s3:ListBucket", bucket),
            ("s3:PutObject", f"{bucket}/x"),
            ("s3:DeleteObject", f"{bucket}/x"),
        ):
            if not may(self.current_account, role, action, f"arn:aws:s3:::{resource}"):
                return f"{FAILED} Failed to connect to S3: {role} may not call {action} on {resource}"
        return None

    def describe_connections(self):
        for connection in self.store["conn"].values():
            connection.advance()
            if connection.status == "failed":
                connection.document["LastFailureMessage"] = connection.hidden["message"]
        filters = {
            "endpoint-arn": lambda connection: connection.document["EndpointArn"],
            "replication-instance-arn": lambda connection: connection.document["ReplicationInstanceArn"],
        }
        return self.page("conn", filters, "Connections", "Connections")

    def delete_connection(self):
        pair = (self.given["ReplicationInstanceArn"], self.given["EndpointArn"])
        connection = self.store["conn"].pop(pair, None)
        if connection is None:
            raise fault("ResourceNotFoundFault", "Connection not found.")
        return self.answer(Connection={**connection.wire(), "Status": "deleting"})

    # ---------------------------------------------------------------- tasks

    def check_json(self, key):
        if self.given.get(key) is None:
            return {}
        try:
            return json.loads(self.given[key])
        except ValueError:
            raise fault("InvalidParameterValueException", f"Invalid {key}: not JSON")

    def check_task(self):
        given = self.given
        rules = self.check_json("TableMappings").get("rules", [])
        if given.get("TableMappings") is not None and not any(r.get("rule-type") == "selection" for r in rules):
            raise fault("InvalidParameterValueException", "Error in mapping rules. No selection rule")
        ids = [rule.get("rule-id") for rule in rules]
        if len(ids) != len(set(ids)):
            raise fault("InvalidParameterValueException", "Error in mapping rules. Rule ids must be unique")
        self.check_json("ReplicationTaskSettings")
        if given.get("CdcStartPosition") and given.get("CdcStartTime"):
            raise combination("Only one of CdcStartPosition and CdcStartTime may be given")
        if given.get("MigrationType", "cdc") not in ("full-load", "cdc", "full-load-and-cdc"):
            raise fault("InvalidParameterValueException", f"Invalid migration type {given['MigrationType']}")

    def create_replication_task(self):
        given = self.given
        name = given["ReplicationTaskIdentifier"].lower()
        instance = self.instance()
        source = self.need("endpoint", given["SourceEndpointArn"], "Endpoint")
        target = self.need("endpoint", given["TargetEndpointArn"], "Endpoint")
        if instance.status != "available":
            raise fault("InvalidResourceStateFault", "Replication instance is not available")
        if (source.document["EndpointType"], target.document["EndpointType"]) != ("SOURCE", "TARGET"):
            raise fault("InvalidParameterValueException", "Endpoint types do not fit")
        self.refuse_duplicate("task", "ReplicationTaskIdentifier", name, "Replication Task")
        self.check_task()
        arn = self.arn_of("task", given.get("ResourceIdentifier") or random_id())
        keys = (
            "SourceEndpointArn",
            "TargetEndpointArn",
            "ReplicationInstanceArn",
            "MigrationType",
            "TableMappings",
            "CdcStartPosition",
            "CdcStopPosition",
            "TaskData",
        )
        document = {
            **{key: given.get(key) for key in keys},
            "ReplicationTaskIdentifier": name,
            "ReplicationTaskArn": arn,
            "ReplicationTaskCreationDate": time.time(),
            "ReplicationTaskSettings": with_server_settings(given.get("ReplicationTaskSettings"), instance, arn),
        }
        task = Resource("dms::replicationtask", list(TASK_STATES), document, "Status")
        self.store["task"][arn] = task
        self.add_tags(arn, given.get("Tags"))
        self.add_event(name, "replication-task", "Replication task created", "creation")
        return self.answer(ReplicationTask=task.wire())

    def task(self):
        return self.need("task", self.given["ReplicationTaskArn"], "Replication task")

    def tables_of(self, task):
        tables = []
        for rule in json.loads(task.document["TableMappings"]).get("rules", []):
            if rule.get("rule-type") != "selection" or rule.get("rule-action", "include") == "exclude":
                continue
            schema, table = rule["object-locator"]["schema-name"], rule["object-locator"]["table-name"]
            if "%" not in schema + table:
                tables.append((schema, table))
                continue
            tables += [
                (a, b)
                for a, b in TOLD["tables"]
                if fnmatch.fnmatchcase(a, schema.replace("%", "*")) and fnmatch.fnmatchcase(b, table.replace("%", "*"))
            ]
        return list(dict.fromkeys(tables))

    def describe_replication_tasks(self):
        for task in self.living("task").values():
            self.look_at(task)
        asked = str(self.body)
        filters = {
            "replication-task-arn": lambda task: task.document["ReplicationTaskArn"],
            "replication-task-id": lambda task: task.document["ReplicationTaskIdentifier"],
            "migration-type": lambda task: task.document["MigrationType"],
            "replication-instance-arn": lambda task: task.document["ReplicationInstanceArn"],
            "endpoint-arn": lambda task: next(
                (task.document[key] for key in ("SourceEndpointArn", "TargetEndpointArn") if task.document[key] in asked),
                None,
            ),
        }
        return self.page("task", filters, "ReplicationTasks", "Tasks")

    def look_at(self, task):
        now, hidden, document = time.time(), task.hidden, task.document
        status = task.status
        if status == "running" and TOLD["task_fail"]:
            task.to("failed")
            document.update(
                LastFailureMessage=TOLD["task_fail"], StopReason="Stop Reason FATAL_ERROR Error Level FATAL"
            )
        if status == "stopped" and hidden.pop("stopping", None):
            log = "mysql-bin-changelog.000002:4"
            document.update(
                StopReason="Stop Reason NORMAL",
                RecoveryCheckpoint=f"checkpoint:V1#27#{log}:-1:{int(now)}:8791798251543:{log}#0#0#*#0#0",
            )
        if status == "stopped" and document["MigrationType"] == "full-load" and not document.get("StopReason"):
            document["StopReason"] = "Stop Reason FULL_LOAD_ONLY_FINISHED"
        started = hidden.get("start")
        if started:
            loaded = status != "starting"
            document["ReplicationTaskStats"] = {
                "FullLoadProgressPercent": 100 if loaded else 0,
                "ElapsedTimeMillis": int((now - started) * 1000),
                "TablesLoaded": len(self.tables_of(task)),
                "TablesLoading": 0,
                "TablesQueued": 0,
                "TablesErrored": 0,
                "FreshStartDate": hidden["fresh"],
                "StartDate": started,
                "FullLoadStartDate": started,
                **({"FullLoadFinishDate": started} if loaded else {}),
                **({"StopDate": hidden["stop"]} if hidden.get("stop") else {}),
            }

    def start_replication_task(self):
        task, kind = self.task(), self.given.get("StartReplicationTaskType")
        hidden, document = task.hidden, task.document
        if task.status not in ("ready", "stopped", "failed"):
            raise fault("InvalidResourceStateFault", f"Replication Task cannot be started, invalid state: {task.status}")
        if kind not in ("start-replication", "resume-processing", "reload-target"):
            raise fault("InvalidParameterValueException", f"Invalid start type {kind}")
        if self.given.get("CdcStartPosition") and self.given.get("CdcStartTime"):
            raise combination("Only one of CdcStartPosition and CdcStartTime may be given")
        instance = document["ReplicationInstanceArn"]
        for endpoint in (document["SourceEndpointArn"], document["TargetEndpointArn"]):
            connection = self.store["conn"].get((instance, endpoint))
            if connection is None or connection.status != "successful":
                raise fault(
                    "InvalidResourceStateFault",
                    f"Test connection for replication instance {instance} and endpoint {endpoint} should be successful "
                    "for starting the replication task",
                )
        started = hidden.get("start")
        if kind == "start-replication" and started and not self.may_start_anew(task):
            raise combination("Start Type : START_REPLICATION, valid only for tasks running for the first time")
        if kind != "start-replication" and not started:
            shown = kind.upper().replace("-", "_")
            raise combination(f"Start Type : {shown}, cannot be used for a task that has not run before")
        now = time.time()
        hidden["start"] = now
        if kind != "resume-processing":
            hidden["fresh"] = now
        hidden.pop("stop", None)
        document.pop("StopReason", None)
        document.pop("LastFailureMessage", None)
        document["ReplicationTaskStartDate"] = now
        for key in ("CdcStartPosition", "CdcStopPosition"):
            if self.given.get(key):
                document[key] = self.given[key]
        ends = [("running", "stopped")] if document["MigrationType"] == "full-load" else []
        task._transitions = TASK_STATES + ends
        task.to("starting")
        self.open_log(task)
        name = document["ReplicationTaskIdentifier"]
        self.add_event(name, "replication-task", "Replication task started", "state change")
        return self.answer(ReplicationTask=task.wire())

    def may_start_anew(self, task):
        """A task of changes only may be started again from a chosen point."""
        return task.document["MigrationType"] == "cdc" and (
            self.given.get("CdcStartPosition") or self.given.get("CdcStartTime")
        )

    def open_log(self, task):
        """The log that outlives the task, where logging is on and DMS may write it."""
        settings = json.loads(task.document["ReplicationTaskSettings"]).get("Logging", {})
        allowed = can_assume(self.current_account, "dms-cloudwatch-logs-role", "dms.amazonaws.com")
        if not settings.get("EnableLogging") or not allowed:
            return
        logs = logs_backends[self.current_account][self.region]
        logs.ensure_log_group(settings["CloudWatchLogGroup"])
        stream = settings["CloudWatchLogStream"]
        if stream not in logs.groups[settings["CloudWatchLogGroup"]].streams:
            logs.create_log_stream(settings["CloudWatchLogGroup"], stream)
        message = f"[TASK_MANAGER    ]I:  Task '{task.document['ReplicationTaskIdentifier']}' starting"
        event = {"timestamp": int(time.time() * 1000), "message": message}
        logs.put_log_events(settings["CloudWatchLogGroup"], stream, [event])

    def stop_replication_task(self):
        task = self.task()
        if task.status not in ("running", "starting"):
            raise fault("InvalidResourceStateFault", f"Replication Task is not running: {task.status}")
        task.hidden.update(stop=time.time(), stopping=True)
        task.to("stopping")
        return self.answer(ReplicationTask=task.wire())

    def modify_replication_task(self):
        task, before = self.task(), self.task().status
        if before in ("running", "starting", "stopping"):
            raise fault(
                "InvalidResourceStateFault",
                "Replication Task, excluding logging severity task settings, cannot be modified while it is running state",
            )
        if before not in ("ready", "stopped", "failed"):
            raise fault("InvalidResourceStateFault", f"Replication Task cannot be modified, invalid state: {before}")
        self.check_task()
        keys = ("MigrationType", "TableMappings", "CdcStartPosition", "CdcStopPosition", "TaskData")
        task.document.update({key: self.given[key] for key in keys if key in self.given})
        if "ReplicationTaskSettings" in self.given:
            instance = self.need("rep", task.document["ReplicationInstanceArn"], "Replication instance")
            arn = task.document["ReplicationTaskArn"]
            settings = with_server_settings(self.given["ReplicationTaskSettings"], instance, arn)
            task.document["ReplicationTaskSettings"] = settings
        others = [states for states in task._transitions if states[0] != "modifying"]
        task._transitions = others + [("modifying", before)]
        task.to("modifying")
        return self.answer(ReplicationTask=task.wire())

    def delete_replication_task(self):
        task = self.task()
        if task.status not in ("ready", "stopped", "failed"):
            raise fault("InvalidResourceStateFault", f"Replication Task cannot be deleted, invalid state: {task.status}")
        task.to("deleting")
        return self.answer(ReplicationTask=task.wire())

    def describe_table_statistics(self):
        task = self.task()
        counts = (
            "Inserts Deletes Updates Ddls AppliedInserts AppliedDeletes AppliedUpdates AppliedDdls "
            "FullLoadRows FullLoadCondtnlChkFailedRows FullLoadErrorRows"
        ).split()
        rows = [
            {
                "SchemaName": schema,
                "TableName": table,
                **{count: 0 for count in counts},
                "FullLoadReloaded": False,
                "LastUpdateTime": time.time(),
                "TableState": "Table completed" if task.hidden.get("start") else "Before load",
                "ValidationState": "Not enabled",
            }
            for schema, table in self.tables_of(task)
        ]
        return self.answer(ReplicationTaskArn=task.document["ReplicationTaskArn"], TableStatistics=rows)

    def reload_tables(self):
        task = self.task()
        if task.status != "running":
            raise fault("InvalidResourceStateFault", f"Replication task is not running: {task.status}")
        return self.answer(ReplicationTaskArn=task.document["ReplicationTaskArn"])

    # ---------------------------------------------------------------- tags, catalogue

    def require_tagged(self, arn):
        if not any(arn in self.living(kind) for kind in KINDS):
            raise fault("ResourceNotFoundFault", f"Resource {arn} not found")
        return arn

    def list_tags_for_resource(self):
        given = self.given
        arns = [given["ResourceArn"]] if given.get("ResourceArn") else given.get("ResourceArnList") or []
        return self.answer(
            TagList=[
                {"Key": key, "Value": value, "ResourceArn": arn}
                for arn in arns
                for key, value in self.dms_backend.tagger.get_tag_dict_for_resource(self.require_tagged(arn)).items()
            ]
        )

    def add_tags_to_resource(self):
        self.add_tags(self.require_tagged(self.given["ResourceArn"]), self.given["Tags"])
        return "{}"

    def remove_tags_from_resource(self):
        arn = self.require_tagged(self.given["ResourceArn"])
        self.dms_backend.tagger.untag_resource_using_names(arn, self.given["TagKeys"])
        return "{}"

    def describe_events(self):
        given = self.given
        return self.answer(
            Events=[
                event
                for event in self.store["events"]
                if given.get("SourceType") in (None, event["SourceType"])
                and given.get("SourceIdentifier") in (None, event["SourceIdentifier"])
            ]
        )

    def describe_engine_versions(self):
        versions = [
            {"Version": version, "Lifecycle": cycle, "ReleaseStatus": "prod", "AvailableUpgrades": []}
            for version, cycle, _ in VERSIONS
        ]
        return self.answer(EngineVersions=versions)

    def describe_orderable_replication_instances(self):
        instances = [
            {
                "EngineVersion": version,
                "ReplicationInstanceClass": each,
                "StorageType": "gp2",
                "MinAllocatedStorage": 5,
                "MaxAllocatedStorage": 6144,
                "DefaultAllocatedStorage": 50,
                "IncludedAllocatedStorage": 50,
                "AvailabilityZones": [self.region + zone for zone in "abc"],
                "ReleaseStatus": "prod",
            }
            for version, _, open in VERSIONS
            if open
            for each in CLASSES
        ]
        return self.answer(OrderableReplicationInstances=instances)

    def describe_account_attributes(self):
        quotas = (
            ("ReplicationInstances", "rep", 60),
            ("ReplicationTasks", "task", 600),
            ("Endpoints", "endpoint", 1000),
            ("ReplicationSubnetGroups", "subgrp", 60),
        )
        return self.answer(
            UniqueAccountIdentifier="emulator",
            AccountQuotas=[
                {"AccountQuotaName": name, "Used": len(self.living(kind)), "Max": most} for name, kind, most in quotas
            ],
        )

    def describe_endpoint_types(self):
        types = [
            {"EngineName": name, "SupportsCDC": True, "EndpointType": kind, "EngineDisplayName": ENGINES[name]}
            for name, kind in (("mysql", "source"), ("mariadb", "source"), ("s3", "target"))
        ]
        return self.answer(SupportedEndpointTypes=types)


FAILED = "Test Endpoint failed: Application-Status: 1020912, Application-Message:"


def combination(message):
    return fault("InvalidParameterCombinationException", message)


def with_server_settings(given, instance, arn):
    """The settings as DMS hands them back: with keys of its own."""
    settings = json.loads(given or "{}")
    name = instance.document["ReplicationInstanceIdentifier"]
    settings["Logging"] = {
        **settings.get("Logging", {}),
        "CloudWatchLogGroup": f"dms-tasks-{name}",
        "CloudWatchLogStream": f"dms-task-{arn.split(':')[-1]}",
        "EnableLogContext": False,
    }
    controls = settings.get("ControlTablesSettings", {})
    settings["ControlTablesSettings"] = {**controls, "historyTimeslotInMinutes": 5}
    return json.dumps(settings)


for _name, _member in vars(Dms).items():
    if not _name.startswith("__"):
        setattr(DatabaseMigrationServiceResponse, _name, _member)
