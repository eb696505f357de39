"""DMS: replication tasks: their states, their start types, what they say of their tables.

They move data where dms_runs.py is given a command; else their states go on by themselves, and their tables show zeros.
"""

import fnmatch
import json
import re
import time

from moto.logs.models import logs_backends

from common import TOLD, fault, random_id
from dms import Resource, combination, mixed_in
from dms_runs import progress_of, statistics_of, tell_process
from iam import can_assume, may

STATES = [
    ("creating", "ready"),
    ("starting", "running"),
    ("stopping", "stopped"),
    ("modifying", "stopped"),
    ("deleting", "gone"),
]


@mixed_in
class Tasks:
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
        task = Resource("dms::replicationtask", list(STATES), document, "Status")
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
                (
                    task.document[key]
                    for key in ("SourceEndpointArn", "TargetEndpointArn")
                    if task.document[key] in asked
                ),
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
        ends_itself = document["MigrationType"] == "full-load" and "folder" not in hidden
        if status == "stopped" and ends_itself and not document.get("StopReason"):
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
                **(progress_of(hidden["tables"].values()) if "tables" in hidden else {}),
                **({"StopDate": hidden["stop"]} if hidden.get("stop") else {}),
            }

    def start_replication_task(self):
        task, kind = self.task(), self.given.get("StartReplicationTaskType")
        hidden, document = task.hidden, task.document
        if task.status not in ("ready", "stopped", "failed"):
            raise fault(
                "InvalidResourceStateFault", f"Replication Task cannot be started, invalid state: {task.status}"
            )
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
        task._transitions = STATES + ends
        task.to("starting")
        self.open_log(task)
        self.run_task(task, kind)
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
        task.to("stopping")
        if task.hidden.get("process"):
            tell_process(task, {"stop": True})
        else:
            task.hidden.update(stop=time.time(), stopping=True)
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
            raise fault(
                "InvalidResourceStateFault", f"Replication Task cannot be deleted, invalid state: {task.status}"
            )
        task.to("deleting")
        self.drop_run(task)
        return self.answer(ReplicationTask=task.wire())

    def describe_table_statistics(self):
        task = self.task()
        arn = task.document["ReplicationTaskArn"]
        self.refuse_glue_without_right("dms:DescribeTableStatistics", arn)
        rows = [{**row, **told_of(row)} for row in self.statistics(task)]
        for each in self.given.get("Filters") or []:
            key = {"schema-name": "SchemaName", "table-name": "TableName", "table-state": "TableState"}.get(each["Name"])
            if key is None:
                raise fault("InvalidParameterValueException", f"Unrecognized filter name: {each['Name']}")
            rows = [row for row in rows if row[key] in each["Values"]]
        start = int(self.given.get("Marker") or 0)
        end = start + (self.given.get("MaxRecords") or TOLD["statistics_page"])
        marker = {"Marker": str(end)} if len(rows) > end else {}
        return self.answer(ReplicationTaskArn=arn, TableStatistics=rows[start:end], **marker)

    def refuse_glue_without_right(self, action, arn):
        """A run of a Glue job has no more rights than its role."""
        caller = re.search(r"Credential=glue\.([^/]+)/", self.headers.get("Authorization", ""))
        tags = {tag["Key"]: tag["Value"] for tag in self.dms_backend.tagger.list_tags_for_resource(arn)["Tags"]}
        if caller and not may(self.current_account, caller[1], action, arn, tags):
            raise fault("AccessDeniedException", f"{caller[1]} is not authorized to perform: {action} on resource: {arn}")

    def statistics(self, task):
        if "tables" in task.hidden:
            return [statistics_of(table) for table in task.hidden["tables"].values()]
        counts = (
            "Inserts Deletes Updates Ddls AppliedInserts AppliedDeletes AppliedUpdates AppliedDdls "
            "FullLoadRows FullLoadCondtnlChkFailedRows FullLoadErrorRows"
        ).split()
        return [
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

    def reload_tables(self):
        task = self.task()
        if task.status != "running":
            raise fault("InvalidResourceStateFault", f"Replication task is not running: {task.status}")
        if task.hidden.get("process"):
            wanted = self.given["TablesToReload"]
            tell_process(task, {"reload": [[table["SchemaName"], table["TableName"]] for table in wanted]})
        return self.answer(ReplicationTaskArn=task.document["ReplicationTaskArn"])


def told_of(row):
    told = TOLD["statistics"].get(f"{row['SchemaName']}.{row['TableName']}", {})
    if told.get("times") == 0:
        return {}
    if "times" in told:
        told["times"] -= 1
    return {key: value for key, value in told.items() if key != "times"}


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
