"""RDS: engine versions with their families and lifecycles, the classes of instances, and the account's limits."""

import datetime

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from common import TOLD, adds

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


@adds(RDSResponse)
def describe_account_attributes(self):
    living = [one for one in self.backend.databases.values() if one.status != "gone"]
    quotas = (
        ("DBInstances", len(living), TOLD["database_limit"]),
        ("DBParameterGroups", len(self.backend.db_parameter_groups), 50),
        ("AllocatedStorage", sum(int(one.allocated_storage or 0) for one in living), 100_000),
    )
    return ActionResult(
        {"AccountQuotas": [{"AccountQuotaName": name, "Used": used, "Max": most} for name, used, most in quotas]}
    )
