"""DMS, anew: moto's answers cannot be read by the SDK for JavaScript. Here what all its resources share.

Life cycles of instances, endpoints, connections and tasks; what refers to what and what is in use; times as numbers, ARNs
with random ids, paging, tags, events. It refuses what the reference says DMS refuses: see each `raise` of the files dms_*.
"""

import fnmatch
import json
import time

from moto.dms.responses import DatabaseMigrationServiceResponse

from common import Machine, fault

KINDS = ("task", "rep", "endpoint", "subgrp", "cert")
FAILED = "Test Endpoint failed: Application-Status: 1020912, Application-Message:"


def mixed_in(members):
    """Gives moto's response class the methods of the decorated class: one for each action."""
    for name, member in vars(members).items():
        if not name.startswith("__"):
            setattr(DatabaseMigrationServiceResponse, name, member)
    return members


def combination(message):
    return fault("InvalidParameterCombinationException", message)


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


@mixed_in
class Shared:
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
