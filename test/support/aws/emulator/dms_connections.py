"""DMS: tests of connections, which find what keeps a real one from working: secret, role, rights, bucket, login."""

import json

from moto.ec2.models import ec2_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

import dms_login
from common import TOLD, fault
from dms import FAILED, Resource, mixed_in
from ec2 import rule_group_id
from iam import can_assume, may


@mixed_in
class Connections:
    def test_connection(self):
        instance = self.instance()
        pair = (self.given["ReplicationInstanceArn"], self.given["EndpointArn"])
        endpoint = self.need("endpoint", pair[1], "Endpoint")
        if instance.status != "available":
            raise fault("InvalidResourceStateFault", "Replication instance is not available")
        if pair in self.store["conn"] and self.store["conn"][pair].status == "testing":
            raise fault("InvalidResourceStateFault", "Test connection is already in progress")
        message = TOLD["connection_fail"] or self.why_no_way(instance, endpoint) or self.why_unreachable(endpoint)
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

    def why_no_way(self, instance, endpoint):
        """From 3.4.7 on an instance without a public address reaches services by endpoints in its VPC alone."""
        if instance.document["PubliclyAccessible"]:
            return None
        document, groups = endpoint.document, [g["VpcSecurityGroupId"] for g in instance.document["VpcSecurityGroups"]]
        vpc = instance.document["ReplicationSubnetGroup"]["VpcId"]
        ec2 = ec2_backends[self.current_account][self.region]
        endpoints = [one for one in ec2.vpc_end_points.values() if one.vpc_id == vpc and one.state == "available"]
        if document["EngineName"] == "s3":
            ways = [one for one in endpoints if one.service_name.endswith(".s3") and one.route_table_ids]
            return None if ways else f"{FAILED} Failed to connect to S3: connection timed out"
        if not (document.get("MySQLSettings") or {}).get("SecretsManagerSecretId"):
            return None
        named = document.get("ExtraConnectionAttributes") or ""
        for one in endpoints:
            if not one.service_name.endswith(".secretsmanager"):
                continue
            hosts = [entry["dns_name"] for entry in one.dns_entries]
            known = one.private_dns_enabled or any(f"secretsManagerEndpointOverride={host}" in named for host in hosts)
            if known and any(self.lets_in(ec2, each, groups) for each in one.security_group_ids):
                return None
        return f"{FAILED} Failed to retrieve secret. Connection timed out"

    def lets_in(self, ec2, group, sources):
        rules = ec2.get_security_group_from_id(group).ingress_rules
        return any(rule_group_id(rule) in sources and int(rule.from_port) <= 443 <= int(rule.to_port) for rule in rules)

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
            return dms_login.why_no_login(address, document["SslMode"], pem)
        role = settings["SecretsManagerAccessRoleArn"]
        # The regional principal: with dms.amazonaws.com alone the test fails.
        if not can_assume(self.current_account, role, f"dms.{self.region}.amazonaws.com"):
            return f"{FAILED} Failed to retrieve secret. Unable to assume role {role}"
        try:
            secret = secretsmanager_backends[self.current_account][self.region].describe_secret(secret_id).to_dict()
            address = self.secret_of(secret_id)
        except Exception as error:
            return f"{FAILED} Failed to retrieve secret. {error}"
        if not may(self.current_account, role, "secretsmanager:GetSecretValue", secret["ARN"]):
            return f"{FAILED} Failed to retrieve secret. {role} may not call secretsmanager:GetSecretValue"
        missing = [key for key in ("host", "port", "username", "password") if not address.get(key)]
        if missing:
            return f"{FAILED} Failed to retrieve secret. The secret has no {missing[0]}"
        return dms_login.why_no_login(address, document["SslMode"], pem)

    def secret_of(self, secret_id):
        if not secret_id:
            return None
        value = secretsmanager_backends[self.current_account][self.region].get_secret_value(secret_id, None, None)
        return json.loads(value["SecretString"])

    def why_no_bucket(self, settings):
        bucket, role = settings["BucketName"], settings["ServiceAccessRoleArn"]
        if bucket not in s3_backends[self.current_account]["aws"].buckets:
            return f"{FAILED} Failed to connect to S3: bucket {bucket} does not exist"
        if not can_assume(self.current_account, role, "dms.amazonaws.com"):
            return f"{FAILED} Failed to connect to S3: unable to assume role {role}"
        folder = f"{bucket}/{settings['BucketFolder']}" if settings.get("BucketFolder") else bucket
        for action, resource in (
            ("s3:ListBucket", bucket),
            ("s3:PutObject", f"{folder}/x"),
            ("s3:DeleteObject", f"{folder}/x"),
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
