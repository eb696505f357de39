"""The tagging API: filters that count for every service, DMS and RDS groups too, and nothing that has been deleted."""

from moto.dms.models import dms_backends
from moto.glue.models import glue_backends
from moto.rds.models import rds_backends
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend, TaggedResource

from common import replaces
from dms import KINDS, store_of


@replaces(ResourceGroupsTaggingAPIBackend, "_get_resources_generator")
def resources(original, self, tag_filters=None, resource_type_filters=None, **named):
    only, seen = named.get("resource_arn_list"), set()

    def wanted(kind):
        return not resource_type_filters or any(each in (kind.split(":")[0], kind) for each in resource_type_filters)

    def matches(tags):
        return all(
            any(
                key == each["Key"] and (not each.get("Values") or value in each["Values"])
                for key, value in tags.items()
            )
            for each in tag_filters or []
        )

    def found():
        for resource in original(self, tag_filters, resource_type_filters, **named):
            if exists(self, resource.arn):
                yield resource.arn, resource.tags, getattr(resource, "resource_type", "")
        for kind, arn, tags in ours(self):
            if wanted(kind):
                yield arn, tags, kind

    for arn, tags, kind in found():
        if tags and arn not in seen and matches(tags) and (not only or arn in only):
            seen.add(arn)
            yield TaggedResource(arn, tags, kind)


def exists(backend, arn):
    account, region = backend.account_id, backend.region_name
    if ":dms:" in arn:
        # moto's store of DMS is not the one in use.
        return False
    if ":glue:" in arn and ":job/" in arn:
        return arn.split(":job/")[1] in glue_backends[account][region].jobs
    if ":rds:" in arn and ":db:" in arn:
        instance = rds_backends[account][region].databases.get(arn.split(":")[-1])
        return getattr(instance, "status", "gone") != "gone"
    return True


def ours(backend):
    account, region = backend.account_id, backend.region_name
    dms = dms_backends[account][region]
    for kind in KINDS:
        for arn, resource in store_of(dms)[kind].items():
            if resource.status != "gone":
                yield f"dms:{kind}", arn, dms.tagger.get_tag_dict_for_resource(arn)
    rds = rds_backends[account][region]
    for kind, groups in (("rds:pg", rds.db_parameter_groups), ("rds:subgrp", rds.subnet_groups)):
        for group in groups.values():
            tags = group.get_tags() if hasattr(group, "get_tags") else group.tags
            yield kind, group.arn, {tag["Key"]: tag["Value"] for tag in tags}
