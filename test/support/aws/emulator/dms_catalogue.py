"""DMS: tags, events, and what there is to choose from: engine versions with their life cycles, classes, quotas."""

from common import fault
from dms import KINDS, mixed_in

ENGINES = {"mysql": "MySQL", "mariadb": "MariaDB", "aurora": "Amazon Aurora MySQL", "s3": "Amazon S3"}
CLASSES = ["dms.t3.micro", "dms.t3.small", "dms.t3.medium", "dms.c5.large", "dms.r5.large"]
# (version, life cycle, whether it still takes new instances)
VERSIONS = [
    ("3.6.1", "ACTIVE", True),
    ("3.6.0", "DEPRECATED", False),
    ("3.5.4", "DEFAULT_VERSION", True),
    ("3.5.3", "DEPRECATED", False),
]


@mixed_in
class Catalogue:
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
