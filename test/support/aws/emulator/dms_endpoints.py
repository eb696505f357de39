"""DMS: certificates and endpoints, and which settings of an endpoint do not go together."""

import re
import time

from common import fault, random_id
from dms import Resource, combination, mixed_in
from dms_catalogue import ENGINES
from iam import can_assume, role_of


@mixed_in
class Certificates:
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


@mixed_in
class Endpoints:
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
