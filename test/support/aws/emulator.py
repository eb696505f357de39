"""moto_server (tested with 5.2.1 and 5.2.5) with the repairs an AWS SDK v3 test-suite of a CDC tool needs.   Same flags as moto_server.

DMS      rewritten (moto's cannot be parsed by SDK v3): epoch times, random-id ARNs, life cycles, referential and state checks,
         modify/tags/statistics/reload/events/quotas/engine versions, paging, dms-vpc-role check, asynchronous deletes
RDS      creating/modifying/rebooting/deleting states, no Endpoint while creating, pending values, parameter defaults + validation,
         pending-reboot status, in-use checks, faults for duplicates/missing, DescribeDBEngineVersions, real endpoint override
Glue     dup/role checks, UpdateJob, BatchStopJobRun, STARTING>RUNNING>SUCCEEDED by default, failing runs, optional real execution
Lambda   zips really run (node/python subprocess, no docker); S3 -> Lambda delivered asynchronously; permission checks
S3       TLS-only bucket policies no longer lock everybody out; notification targets are validated
core     an unimplemented action answers 501 NotImplemented in the caller's protocol instead of an HTML page

Life cycles go through moto's state manager (POST /moto-api/state-manager/set-transition, not undone by reset); models added:
  dms::replicationtask dms::replicationinstance dms::connection dms::resource rds::dbinstance (default manual, times 1)
Test control: POST /moto-api/cdc-control {"connection_fail": msg|null, "task_fail": msg|null, "tables": [["db","tab"],...]}
              GET  /moto-api/cdc-control -> settings + everything still alive in DMS/RDS/Glue/Lambda ("nothing left behind" checks)
Environment:
  CDC_EMU_RDS_ENDPOINT=127.0.0.1:3306   Endpoint of every RDS instance (a real MySQL); default AWS-like name
  CDC_EMU_RDS_ADMIN=root:pw@127.0.0.1:3306  with it every created instance gets its master user (password given or managed), database and the
                                        mysql.rds_* procedures on that server, and loses the user when deleted (needs pymysql)
  CDC_EMU_REAL_CONNECT=1                TestConnection opens a TCP connection to ServerName:Port for database endpoints
  CDC_EMU_NODE_MODULES=DIR              node_modules that node functions may import (the AWS SDK the real runtime ships)
  CDC_EMU_GLUE_CMD="python3"            run Glue scripts: CMD script.py --JOB_NAME x --arg v ...; exit code decides SUCCEEDED/FAILED
"""
import base64, fnmatch, hashlib, io, json, os, re, shlex, socket, subprocess, sys, tempfile, threading, time, zipfile
from urllib.parse import quote_plus
from moto.core import responses as CR
from moto.core.exceptions import JsonRESTError
from moto.dms import models as DM, responses as DR
from moto.moto_api import state_manager
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.managed_state_model import ManagedState

CONTROL = {"connection_fail": None, "task_fail": None, "tables": []}
MANUAL1 = {"progression": "manual", "times": 1}
for _m in ("dms::replicationtask", "dms::replicationinstance", "dms::connection", "dms::resource", "rds::dbinstance", "glue::job_run"):
    state_manager.register_default_transition(_m, dict(MANUAL1))
def rid(n=26): return "".join(mock_random.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(n))
def fault(name, msg, code=400):
    e = JsonRESTError(name, msg); e.code = code; return e

# ------------------------------------------------------------------ core: named answer for unimplemented actions
_call = CR.BaseResponse.call_action
def call_action(self):
    try: return _call(self)
    except NotImplementedError as e:
        if "has not been implemented" not in str(e): raise
        msg = f"emulator: {self.service_name} {e}"
        ct = str(self.headers.get("Content-Type", ""))
        if "json" in ct or self.headers.get("X-Amz-Target"):
            return 501, {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": "NotImplemented"}, json.dumps({"__type": "NotImplemented", "message": msg})
        err = f"<Error><Code>NotImplemented</Code><Message>{msg}</Message></Error>"
        body = f"<Response><Errors>{err}</Errors><RequestID>emu</RequestID></Response>" if self.service_name == "ec2" else f"<ErrorResponse>{err}<RequestId>emu</RequestId></ErrorResponse>"
        return 501, {"content-type": "text/xml"}, body
CR.BaseResponse.call_action = call_action

# ------------------------------------------------------------------ DMS
class Res(ManagedState):
    """one DMS resource: wire document + state machine; status 'gone' means it has vanished"""
    def __init__(self, model, transitions, doc, key):
        ManagedState.__init__(self, model, transitions); self.doc, self.key, self.x = doc, key, {}
    def to(self, status): self._status, self._tick, self._time_progressed = status, 0, __import__("datetime").datetime.now()
    def wire(self): return {k: v for k, v in {**self.doc, self.key: self.status}.items() if v is not None}

DMS_TASK = [("creating", "ready"), ("starting", "running"), ("stopping", "stopped"), ("modifying", "stopped"), ("deleting", "gone")]
DMS_INST = [("creating", "available"), ("modifying", "available"), ("rebooting", "available"), ("upgrading", "available"), ("deleting", "gone")]
ENGINES = {"mysql", "mariadb", "aurora", "aurora-postgresql", "postgres", "s3", "oracle", "sqlserver", "kinesis", "kafka", "redshift", "mongodb", "docdb", "dynamodb"}

def store(b):
    if not hasattr(b, "cdc"):
        b.cdc = {"task": {}, "rep": {}, "endpoint": {}, "subgrp": {}, "conn": {}, "events": []}
    return b.cdc

class Dms:
    """mixed into moto's response class: one method per action"""
    @property
    def p(self): return json.loads(self.body or "{}")
    @property
    def st(self): return store(self.dms_backend)
    def arn(self, kind, ident): return f"arn:aws:dms:{self.region}:{self.current_account}:{kind}:{ident}"
    def ok(self, **kw): return json.dumps(kw)
    def live(self, kind):
        d = self.st[kind]
        for k in [k for k, r in d.items() if r.status == "gone"]: del d[k]; self.dms_backend.tagger.delete_all_tags_for_resource(k)
        return d
    def need(self, kind, arn, what):
        r = self.live(kind).get(arn)
        if not r: raise fault("ResourceNotFoundFault", f"{what} {arn} not found.")
        return r
    def tag(self, arn, tags):
        if tags: self.dms_backend.tagger.tag_resource(arn, tags)
    def event(self, src, typ, msg, cat): self.st["events"].append({"SourceIdentifier": src, "SourceType": typ, "Message": msg, "EventCategories": [cat], "Date": time.time()})
    def listing(self, kind, fields, out, what, advance=True):
        rows = list(self.live(kind).values())
        if advance:
            for r in rows: r.advance()
            rows = list(self.live(kind).values())
        filters = self.p.get("Filters") or []
        for f in filters:
            if f["Name"] not in fields: raise fault("InvalidParameterValueException", f"Unrecognized filter name: {f['Name']}")
            rows = [r for r in rows if any(fnmatch.fnmatchcase(str(fields[f["Name"]](r)).lower(), v.lower()) for v in f["Values"])]
        if filters and not rows: raise fault("ResourceNotFoundFault", f"No {what} found matching provided filters")
        mx, mk = self.p.get("MaxRecords") or 100, int(self.p.get("Marker") or 0)
        if not 20 <= mx <= 100: raise fault("InvalidParameterValueException", f"Invalid MaxRecords {mx}, must be between 20 and 100")
        page, more = rows[mk:mk + mx], len(rows) > mk + mx
        return json.dumps({out: [r.wire() for r in page], **({"Marker": str(mk + mx)} if more else {})})
    # subnet groups
    def create_replication_subnet_group(self):
        p, b = self.p, self.dms_backend
        from moto.iam.models import iam_backends
        from moto.ec2.models import ec2_backends
        if not any(r.name == "dms-vpc-role" for r in iam_backends[self.current_account]["aws"].roles.values()):
            raise fault("AccessDeniedFault", f"The IAM Role arn:aws:iam::{self.current_account}:role/dms-vpc-role is not configured properly.")
        name = p["ReplicationSubnetGroupIdentifier"].lower(); arn = self.arn("subgrp", name)
        if arn in self.live("subgrp"): raise fault("ResourceAlreadyExistsFault", f"The replication subnet group {name} already exists.")
        subs = []
        for s in p["SubnetIds"]:
            try: subs.append(ec2_backends[self.current_account][self.region].get_subnet(s))
            except Exception: raise fault("InvalidSubnet", f"Subnet {s} is not valid")
        if len({s.availability_zone for s in subs}) < 2:
            raise fault("ReplicationSubnetGroupDoesNotCoverEnoughAZs", "Replication Subnet Group doesn't meet availability zone coverage requirement.")
        doc = {"ReplicationSubnetGroupIdentifier": name, "ReplicationSubnetGroupDescription": p["ReplicationSubnetGroupDescription"], "VpcId": subs[0].vpc_id,
               "Subnets": [{"SubnetIdentifier": s.id, "SubnetAvailabilityZone": {"Name": s.availability_zone}, "SubnetStatus": "Active"} for s in subs], "SupportedNetworkTypes": ["IPV4"]}
        r = self.st["subgrp"][arn] = Res("dms::resource", [("Complete", "Complete")], doc, "SubnetGroupStatus"); self.tag(arn, p.get("Tags"))
        return self.ok(ReplicationSubnetGroup=r.wire())
    def describe_replication_subnet_groups(self):
        return self.listing("subgrp", {"replication-subnet-group-id": lambda r: r.doc["ReplicationSubnetGroupIdentifier"]}, "ReplicationSubnetGroups", "Subnet groups")
    def modify_replication_subnet_group(self):
        a = self.arn("subgrp", self.p["ReplicationSubnetGroupIdentifier"].lower()); r = self.need("subgrp", a, "Replication subnet group")
        if self.p.get("ReplicationSubnetGroupDescription"): r.doc["ReplicationSubnetGroupDescription"] = self.p["ReplicationSubnetGroupDescription"]
        return self.ok(ReplicationSubnetGroup=r.wire())
    def delete_replication_subnet_group(self):
        name = self.p["ReplicationSubnetGroupIdentifier"].lower(); a = self.arn("subgrp", name); self.need("subgrp", a, "Replication subnet group")
        if any((r.doc.get("ReplicationSubnetGroup") or {}).get("ReplicationSubnetGroupIdentifier") == name for r in self.live("rep").values()):
            raise fault("InvalidResourceStateFault", f"Cannot delete the replication subnet group {name}: it is in use by a replication instance")
        del self.st["subgrp"][a]; return "{}"
    # instances
    def create_replication_instance(self):
        p = self.p; name = p["ReplicationInstanceIdentifier"].lower()
        if not re.fullmatch(r"dms\.[a-z0-9]+\.[a-z0-9]+", p.get("ReplicationInstanceClass", "")): raise fault("InvalidParameterValueException", f"Invalid replication instance class {p.get('ReplicationInstanceClass')}")
        if any(r.doc["ReplicationInstanceIdentifier"] == name for r in self.live("rep").values()): raise fault("ResourceAlreadyExistsFault", f"Replication Instance {name} already exists.")
        sg = None
        if p.get("ReplicationSubnetGroupIdentifier"): sg = self.need("subgrp", self.arn("subgrp", p["ReplicationSubnetGroupIdentifier"].lower()), "Replication subnet group").wire()
        arn = self.arn("rep", p.get("ResourceIdentifier") or rid())
        doc = {"ReplicationInstanceIdentifier": name, "ReplicationInstanceClass": p["ReplicationInstanceClass"], "AllocatedStorage": p.get("AllocatedStorage", 50), "InstanceCreateTime": time.time(),
               "VpcSecurityGroups": [{"VpcSecurityGroupId": s, "Status": "active"} for s in p.get("VpcSecurityGroupIds") or []], "AvailabilityZone": p.get("AvailabilityZone") or self.region + "a",
               "ReplicationSubnetGroup": sg, "PreferredMaintenanceWindow": p.get("PreferredMaintenanceWindow", "sun:06:00-sun:14:00"), "PendingModifiedValues": {}, "MultiAZ": p.get("MultiAZ", False),
               "EngineVersion": p.get("EngineVersion", "3.5.4"), "AutoMinorVersionUpgrade": p.get("AutoMinorVersionUpgrade", True), "KmsKeyId": p.get("KmsKeyId"), "ReplicationInstanceArn": arn,
               "PubliclyAccessible": p.get("PubliclyAccessible", True), "NetworkType": p.get("NetworkType", "IPV4")}
        r = self.st["rep"][arn] = Res("dms::replicationinstance", DMS_INST, doc, "ReplicationInstanceStatus"); self.tag(arn, p.get("Tags")); self.event(name, "replication-instance", "Replication instance created", "creation")
        return self.ok(ReplicationInstance=r.wire())
    def _rep(self):
        r = self.need("rep", self.p["ReplicationInstanceArn"], "Replication instance")
        if r.status == "available" and "ReplicationInstancePrivateIpAddress" not in r.doc:
            r.doc.update(ReplicationInstancePrivateIpAddress="10.9.0.10", ReplicationInstancePrivateIpAddresses=["10.9.0.10"])
        return r
    def describe_replication_instances(self):
        return self.listing("rep", {"replication-instance-arn": lambda r: r.doc["ReplicationInstanceArn"], "replication-instance-id": lambda r: r.doc["ReplicationInstanceIdentifier"],
            "replication-instance-class": lambda r: r.doc["ReplicationInstanceClass"], "engine-version": lambda r: r.doc["EngineVersion"]}, "ReplicationInstances", "Instances")
    def modify_replication_instance(self):
        r = self._rep()
        if r.status != "available": raise fault("InvalidResourceStateFault", f"Replication instance is not available: {r.status}")
        for k in ("ReplicationInstanceClass", "AllocatedStorage", "MultiAZ", "EngineVersion", "PreferredMaintenanceWindow", "AutoMinorVersionUpgrade"):
            if k in self.p: r.doc[k] = self.p[k]
        r.to("modifying"); return self.ok(ReplicationInstance=r.wire())
    def reboot_replication_instance(self):
        r = self._rep(); r.to("rebooting"); return self.ok(ReplicationInstance=r.wire())
    def delete_replication_instance(self):
        r = self._rep(); a = r.doc["ReplicationInstanceArn"]
        if any(t.doc["ReplicationInstanceArn"] == a for t in self.live("task").values()): raise fault("InvalidResourceStateFault", f"Replication instance {r.doc['ReplicationInstanceIdentifier']} has one or more associated replication tasks.")
        if r.status == "creating": raise fault("InvalidResourceStateFault", "Replication instance is being created")
        r.to("deleting"); self.st["conn"] = {k: v for k, v in self.st["conn"].items() if k[0] != a}; return self.ok(ReplicationInstance=r.wire())
    # endpoints
    def create_endpoint(self):
        p = self.p; name = p["EndpointIdentifier"].lower()
        if any(r.doc["EndpointIdentifier"] == name for r in self.live("endpoint").values()): raise fault("ResourceAlreadyExistsFault", f"Endpoint {name} already exists.")
        if p.get("EndpointType") not in ("source", "target"): raise fault("InvalidParameterValueException", "Invalid endpoint type")
        if p.get("EngineName") not in ENGINES: raise fault("InvalidParameterValueException", f"Endpoint engine {p.get('EngineName')} is not supported")
        if p["EngineName"] == "s3":
            s = p.get("S3Settings") or {}
            if not s.get("BucketName") or not s.get("ServiceAccessRoleArn"): raise fault("InvalidParameterCombinationException", "BucketName and ServiceAccessRoleArn are required for S3 endpoints")
        arn = self.arn("endpoint", p.get("ResourceIdentifier") or rid())
        doc = {k: v for k, v in p.items() if k not in ("Tags", "Password", "ResourceIdentifier")}
        for v in doc.values():
            if isinstance(v, dict): v.pop("Password", None)
        doc.update(EndpointIdentifier=name, EndpointArn=arn, EngineDisplayName={"mysql": "MySQL", "s3": "Amazon S3"}.get(p["EngineName"], p["EngineName"]), SslMode=p.get("SslMode", "none"), EndpointType=p["EndpointType"].upper())
        r = self.st["endpoint"][arn] = Res("dms::resource", [("active", "active"), ("deleting", "gone")], doc, "Status"); self.tag(arn, p.get("Tags"))
        return self.ok(Endpoint=r.wire())
    def describe_endpoints(self):
        return self.listing("endpoint", {"endpoint-arn": lambda r: r.doc["EndpointArn"], "endpoint-id": lambda r: r.doc["EndpointIdentifier"], "endpoint-type": lambda r: r.doc["EndpointType"], "engine-name": lambda r: r.doc["EngineName"]}, "Endpoints", "Endpoints")
    def modify_endpoint(self):
        p = self.p; r = self.need("endpoint", p["EndpointArn"], "Endpoint")
        if any(t.status in ("running", "starting", "stopping") and p["EndpointArn"] in (t.doc["SourceEndpointArn"], t.doc["TargetEndpointArn"]) for t in self.live("task").values()):
            raise fault("InvalidResourceStateFault", "Endpoint is in use by a running task")
        for k, v in p.items():
            if k in ("EndpointArn", "Password", "ExactSettings"): continue
            r.doc[k] = {**(r.doc.get(k) or {}), **v} if isinstance(v, dict) and not p.get("ExactSettings") else v
        self.st["conn"] = {k: v for k, v in self.st["conn"].items() if k[1] != p["EndpointArn"]}   # must be tested again
        return self.ok(Endpoint=r.wire())
    def delete_endpoint(self):
        a = self.p["EndpointArn"]; r = self.need("endpoint", a, "Endpoint")
        if any(a in (t.doc["SourceEndpointArn"], t.doc["TargetEndpointArn"]) for t in self.live("task").values()): raise fault("InvalidResourceStateFault", f"Endpoint {r.doc['EndpointIdentifier']} is part of one or more ReplicationTasks.")
        r.to("deleting"); self.st["conn"] = {k: v for k, v in self.st["conn"].items() if k[1] != a}; return self.ok(Endpoint=r.wire())
    # connections
    def test_connection(self):
        ra, ea = self.p["ReplicationInstanceArn"], self.p["EndpointArn"]
        r = self.need("rep", ra, "Replication instance"); e = self.need("endpoint", ea, "Endpoint")
        if r.status != "available": raise fault("InvalidResourceStateFault", "Replication instance is not available")
        bad = CONTROL["connection_fail"]; d = e.doc
        if not bad and os.environ.get("CDC_EMU_REAL_CONNECT") and d.get("ServerName"):
            try: socket.create_connection((d["ServerName"], d.get("Port", 3306)), 3).close()
            except OSError as x: bad = f"Test Endpoint failed: Application-Status: 1020912, Application-Message: Cannot connect to ODBC provider Network error has occurred ({x})"
        c = self.st["conn"][(ra, ea)] = Res("dms::connection", [("testing", "failed" if bad else "successful")], {"ReplicationInstanceArn": ra, "EndpointArn": ea, "EndpointIdentifier": d["EndpointIdentifier"], "ReplicationInstanceIdentifier": r.doc["ReplicationInstanceIdentifier"]}, "Status")
        c.x["msg"] = bad; return self.ok(Connection=c.wire())
    def describe_connections(self):
        for c in self.st["conn"].values():
            if c.status == "failed": c.doc["LastFailureMessage"] = c.x["msg"]
        out = self.listing("conn", {"endpoint-arn": lambda c: c.doc["EndpointArn"], "replication-instance-arn": lambda c: c.doc["ReplicationInstanceArn"]}, "Connections", "Connections")
        for c in self.st["conn"].values():
            if c.status == "failed": c.doc["LastFailureMessage"] = c.x["msg"]
        return out
    # tasks
    def _json(self, k, rules=False):
        if self.p.get(k) is None: return
        try: d = json.loads(self.p[k])
        except ValueError: raise fault("InvalidParameterValueException", f"Invalid {k}: not JSON")
        if rules and not any(x.get("rule-type") == "selection" for x in d.get("rules", [])): raise fault("InvalidParameterValueException", "Error in mapping rules. No selection rule")
    def create_replication_task(self):
        p = self.p; name = p["ReplicationTaskIdentifier"].lower()
        i = self.need("rep", p["ReplicationInstanceArn"], "Replication instance"); s = self.need("endpoint", p["SourceEndpointArn"], "Endpoint"); t = self.need("endpoint", p["TargetEndpointArn"], "Endpoint")
        if i.status != "available": raise fault("InvalidResourceStateFault", "Replication instance is not available")
        if (s.doc["EndpointType"], t.doc["EndpointType"]) != ("SOURCE", "TARGET"): raise fault("InvalidParameterValueException", "Endpoint types do not fit")
        if p.get("MigrationType") not in ("full-load", "cdc", "full-load-and-cdc"): raise fault("InvalidParameterValueException", "Invalid migration type")
        if any(r.doc["ReplicationTaskIdentifier"] == name for r in self.live("task").values()): raise fault("ResourceAlreadyExistsFault", f"Replication Task {name} already exists.")
        self._json("TableMappings", True); self._json("ReplicationTaskSettings")
        arn = self.arn("task", p.get("ResourceIdentifier") or rid())
        doc = {k: p.get(k) for k in ("SourceEndpointArn", "TargetEndpointArn", "ReplicationInstanceArn", "MigrationType", "TableMappings", "CdcStartPosition", "CdcStopPosition", "TaskData")}
        doc.update(ReplicationTaskIdentifier=name, ReplicationTaskArn=arn, ReplicationTaskSettings=p.get("ReplicationTaskSettings") or "{}", ReplicationTaskCreationDate=time.time())
        r = self.st["task"][arn] = Res("dms::replicationtask", list(DMS_TASK), doc, "Status"); self.tag(arn, p.get("Tags")); self.event(name, "replication-task", "Replication task created", "creation")
        return self.ok(ReplicationTask=r.wire())
    def _task(self): return self.need("task", self.p["ReplicationTaskArn"], "Replication task")
    def _tabs(self, t):
        out = []
        for x in json.loads(t.doc["TableMappings"]).get("rules", []):
            if x.get("rule-type") == "selection" and x.get("rule-action", "include") != "exclude":
                o = x["object-locator"]; s, n = o["schema-name"], o["table-name"]
                out += [(s, n)] if "%" not in s + n else [(a, b) for a, b in CONTROL["tables"] if fnmatch.fnmatchcase(a, s.replace("%", "*")) and fnmatch.fnmatchcase(b, n.replace("%", "*"))]
        return list(dict.fromkeys(out))
    def describe_replication_tasks(self):
        for t in self.live("task").values():
            st = t.status; now = time.time(); n = len(self._tabs(t)); start = t.x.get("start")
            if st == "running" and CONTROL["task_fail"]:
                t.to("failed"); t.doc.update(LastFailureMessage=CONTROL["task_fail"], StopReason="Stop Reason FATAL_ERROR Error Level FATAL")
            if st == "stopped" and t.x.get("stopping"): t.x.pop("stopping"); t.doc.update(StopReason="Stop Reason NORMAL", RecoveryCheckpoint=f"checkpoint:V1#27#mysql-bin-changelog.000002:4:-1:{int(now)}:8791798251543:mysql-bin-changelog.000002:4#0#0#*#0#0")
            if start: t.doc["ReplicationTaskStats"] = {"FullLoadProgressPercent": 100 if st != "starting" else 0, "ElapsedTimeMillis": int((now - start) * 1000), "TablesLoaded": n, "TablesLoading": 0, "TablesQueued": 0, "TablesErrored": 0, "FreshStartDate": t.x["fresh"], "StartDate": start, "FullLoadStartDate": start, **({"FullLoadFinishDate": start} if st != "starting" else {}), **({"StopDate": t.x["stop"]} if t.x.get("stop") else {})}
        return self.listing("task", {"replication-task-arn": lambda r: r.doc["ReplicationTaskArn"], "replication-task-id": lambda r: r.doc["ReplicationTaskIdentifier"], "migration-type": lambda r: r.doc["MigrationType"],
            "endpoint-arn": lambda r: r.doc["SourceEndpointArn"] if r.doc["SourceEndpointArn"] in str(self.body) else r.doc["TargetEndpointArn"], "replication-instance-arn": lambda r: r.doc["ReplicationInstanceArn"]}, "ReplicationTasks", "Tasks")
    def start_replication_task(self):
        p, t = self.p, self._task(); kind = p.get("StartReplicationTaskType")
        if t.status not in ("ready", "stopped", "failed"): raise fault("InvalidResourceStateFault", f"Replication Task cannot be started, invalid state: {t.status}")
        for e in (t.doc["SourceEndpointArn"], t.doc["TargetEndpointArn"]):
            c = self.st["conn"].get((t.doc["ReplicationInstanceArn"], e))
            if not c or c.status != "successful": raise fault("InvalidResourceStateFault", f"Test connection for replication instance {t.doc['ReplicationInstanceArn']} and endpoint {e} should be successful for starting the replication task")
        if kind == "start-replication" and t.x.get("start"): raise fault("InvalidParameterCombinationException", "Start Type : START_REPLICATION, valid only for tasks running for the first time")
        if kind != "start-replication" and not t.x.get("start"): raise fault("InvalidParameterCombinationException", f"Start Type : {str(kind).upper().replace('-', '_')}, cannot be used for a task that has not run before")
        now = time.time(); t.x["start"] = now
        if kind != "resume-processing": t.x["fresh"] = now
        t.x.pop("stop", None); t.doc.pop("StopReason", None); t.doc.pop("LastFailureMessage", None); t.doc["ReplicationTaskStartDate"] = now
        t._transitions = list(DMS_TASK) + ([("running", "stopped")] if t.doc["MigrationType"] == "full-load" else [])
        t.to("starting"); self.event(t.doc["ReplicationTaskIdentifier"], "replication-task", "Replication task started", "state change"); return self.ok(ReplicationTask=t.wire())
    def stop_replication_task(self):
        t = self._task()
        if t.status not in ("running", "starting"): raise fault("InvalidResourceStateFault", f"Replication Task is not running: {t.status}")
        t.x.update(stop=time.time(), stopping=1); t.to("stopping"); return self.ok(ReplicationTask=t.wire())
    def modify_replication_task(self):
        p, t = self.p, self._task()
        if t.status not in ("ready", "stopped", "failed"): raise fault("InvalidResourceStateFault", f"Replication Task cannot be modified, invalid state: {t.status}")
        self._json("TableMappings", True); self._json("ReplicationTaskSettings"); was = t.status
        for k in ("MigrationType", "TableMappings", "ReplicationTaskSettings", "CdcStartPosition", "CdcStopPosition", "TaskData"):
            if k in p: t.doc[k] = p[k]
        t._transitions = [x if x[0] != "modifying" else ("modifying", was) for x in t._transitions]; t.to("modifying"); return self.ok(ReplicationTask=t.wire())
    def delete_replication_task(self):
        t = self._task()
        if t.status in ("running", "starting", "stopping", "modifying", "creating"): raise fault("InvalidResourceStateFault", f"Replication Task cannot be deleted, invalid state: {t.status}")
        t.to("deleting"); return self.ok(ReplicationTask=t.wire())
    def describe_table_statistics(self):
        t = self._task(); run = t.x.get("start")
        rows = [{"SchemaName": s, "TableName": n, "Inserts": 0, "Deletes": 0, "Updates": 0, "Ddls": 0, "AppliedInserts": 0, "AppliedDeletes": 0, "AppliedUpdates": 0, "AppliedDdls": 0, "FullLoadRows": 0, "FullLoadCondtnlChkFailedRows": 0, "FullLoadErrorRows": 0,
                 "FullLoadReloaded": False, "LastUpdateTime": time.time(), "TableState": "Table completed" if run else "Before load", "ValidationState": "Not enabled"} for s, n in self._tabs(t)]
        return self.ok(ReplicationTaskArn=t.doc["ReplicationTaskArn"], TableStatistics=rows)
    def reload_tables(self):
        t = self._task()
        if t.status != "running": raise fault("InvalidResourceStateFault", f"Replication task is not running: {t.status}")
        return self.ok(ReplicationTaskArn=t.doc["ReplicationTaskArn"])
    # tags, catalogue
    def _tagged(self, arn):
        if not any(arn in self.live(k) for k in ("task", "rep", "endpoint", "subgrp")): raise fault("ResourceNotFoundFault", f"Resource {arn} not found")
        return arn
    def list_tags_for_resource(self):
        arns = [self.p["ResourceArn"]] if self.p.get("ResourceArn") else self.p.get("ResourceArnList") or []
        return self.ok(TagList=[{"Key": k, "Value": v, "ResourceArn": a} for a in arns for k, v in self.dms_backend.tagger.get_tag_dict_for_resource(self._tagged(a)).items()])
    def add_tags_to_resource(self): self.tag(self._tagged(self.p["ResourceArn"]), self.p["Tags"]); return "{}"
    def remove_tags_from_resource(self): self.dms_backend.tagger.untag_resource_using_names(self._tagged(self.p["ResourceArn"]), self.p["TagKeys"]); return "{}"
    def describe_events(self): return self.ok(Events=[e for e in self.st["events"] if self.p.get("SourceType") in (None, e["SourceType"]) and self.p.get("SourceIdentifier") in (None, e["SourceIdentifier"])])
    def describe_engine_versions(self): return self.ok(EngineVersions=[{"Version": v, "ReleaseStatus": "prod", "AvailableUpgrades": []} for v in ("3.6.1", "3.5.4", "3.5.3")])
    def describe_orderable_replication_instances(self):
        return self.ok(OrderableReplicationInstances=[{"EngineVersion": "3.5.4", "ReplicationInstanceClass": c, "StorageType": "gp2", "MinAllocatedStorage": 5, "MaxAllocatedStorage": 6144, "DefaultAllocatedStorage": 50, "IncludedAllocatedStorage": 50, "AvailabilityZones": [self.region + z for z in "abc"], "ReleaseStatus": "prod"} for c in ("dms.t3.micro", "dms.t3.small", "dms.t3.medium", "dms.c5.large", "dms.r5.large")])
    def describe_account_attributes(self): return self.ok(UniqueAccountIdentifier="emu", AccountQuotas=[{"AccountQuotaName": n, "Used": len(self.live(k)), "Max": m} for n, k, m in (("ReplicationInstances", "rep", 60), ("ReplicationTasks", "task", 600), ("Endpoints", "endpoint", 1000), ("ReplicationSubnetGroups", "subgrp", 60))])
    def describe_endpoint_types(self): return self.ok(SupportedEndpointTypes=[{"EngineName": e, "SupportsCDC": True, "EndpointType": t, "EngineDisplayName": e} for e, t in (("mysql", "source"), ("mariadb", "source"), ("s3", "target"))])
for _n, _v in vars(Dms).items():
    if not _n.startswith("__"): setattr(DR.DatabaseMigrationServiceResponse, _n, _v)

# ------------------------------------------------------------------ RDS
from moto.rds import models as RM, responses as RR
from moto.rds.exceptions import RDSClientError, DBParameterGroupNotFoundError
from moto.core.responses import ActionResult
RDSB, DBI = RM.RDSBackend, RM.DBInstance
RDS_T = [("creating", "backing-up"), ("backing-up", "available"), ("modifying", "available"), ("rebooting", "available"), ("starting", "available"), ("stopping", "stopped"), ("deleting", "gone")]
class Machine(ManagedState):
    def __init__(self, first): ManagedState.__init__(self, "rds::dbinstance", RDS_T); self._status = first
def _get(self): return self.__dict__["_m"].status if "_m" in self.__dict__ else "creating"
def _set(self, v):
    v = {"stopped": "stopping"}.get(v, v)
    if "_m" in self.__dict__: self._m._status = "starting" if v == "available" and self._m._status == "stopped" else v; self._m._tick = 0
    else: self.__dict__["_m"] = Machine("creating")
DBI.status = property(_get, _set)
def _ep(self):
    if self.status in ("creating",): return None
    o = os.environ.get("CDC_EMU_RDS_ENDPOINT")
    if o: h, p = o.rsplit(":", 1); return {"Address": h, "Port": int(p), "HostedZoneId": "Z29XKXDKYMONMX"}
    return {"Address": self.address, "Port": self.port, "HostedZoneId": "Z29XKXDKYMONMX"}
DBI.endpoint = property(_ep)
def _pgs(self):
    gs = self.db_parameter_groups()
    return [{"DBParameterGroupName": g.name, "ParameterApplyStatus": self.__dict__.get("_apply", "in-sync")} for g in gs]
DBI.db_parameter_group_status_list = property(_pgs)
def managed_secret(self):
    self.resource.__dict__["_managed_pw"] = pw = base64.urlsafe_b64encode(os.urandom(24)).decode()
    return json.dumps({"username": self.resource.master_username or "admin", "password": pw})
RM.MasterUserSecret._generate_secret_string = managed_secret
RDS_SQL = ["CREATE PROCEDURE IF NOT EXISTS mysql.rds_set_configuration(IN name VARCHAR(30), IN value INT) REPLACE INTO mysql.rds_configuration VALUES (name, value)",
  "CREATE PROCEDURE IF NOT EXISTS mysql.rds_show_configuration() SELECT * FROM mysql.rds_configuration"]
def real_server(d, gone=False):
    admin = os.environ.get("CDC_EMU_RDS_ADMIN")
    if not admin: return
    import pymysql
    user, pw, host, port = re.fullmatch(r"([^:]+):(.*)@([^:@]+):(\d+)", admin).groups(); m = d.master_username
    with pymysql.connect(host=host, port=int(port), user=user, password=pw, autocommit=True) as con, con.cursor() as c:
        c.execute("DROP USER IF EXISTS %s@'%%'", (m,))
        if gone: return
        c.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (m, d.__dict__.get("_managed_pw") or d.__dict__.get("_master_user_password")))
        c.execute("GRANT ALL ON *.* TO %s@'%%' WITH GRANT OPTION", (m,))
        c.execute("CREATE TABLE IF NOT EXISTS mysql.rds_configuration (name VARCHAR(100) PRIMARY KEY, value VARCHAR(100))")
        c.execute("INSERT IGNORE INTO mysql.rds_configuration VALUES ('binlog retention hours', NULL)")
        for q in RDS_SQL: c.execute(q)
        if getattr(d, "db_name", None): c.execute(f"CREATE DATABASE IF NOT EXISTS `{d.db_name}`")
_dinit = DBI.__init__
def dinit(self, *a, **k):
    _dinit(self, *a, **k); self.dbi_resource_id = "db-" + rid(); self.pending_modified_values = {}; real_server(self)
DBI.__init__ = dinit
_desc = RDSB.describe_db_instances
def desc(self, db_instance_identifier=None, filters=None):
    for k in [k for k, d in self.databases.items() if d.status == "gone"]: self.databases.pop(k)
    return _desc(self, db_instance_identifier, filters)
RDSB.describe_db_instances = desc
_rdesc = RR.RDSResponse.describe_db_instances
def rdesc(self):
    for d in self.backend.databases.values():
        if "_m" in d.__dict__: d._m.advance(); d.status
    return _rdesc(self)
RR.RDSResponse.describe_db_instances = rdesc
_rmod = RDSB.modify_db_instance
LATER = {"db_instance_class": "DBInstanceClass", "allocated_storage": "AllocatedStorage", "engine_version": "EngineVersion", "port": "Port", "backup_retention_period": "BackupRetentionPeriod", "multi_az": "MultiAZ"}
def rmod(self, ident, kw):
    d = self.describe_db_instances(ident)[0]
    if d.status not in ("available", "stopped", "storage-optimization"): raise RDSClientError("InvalidDBInstanceState", f"Database instance is not in available state.")
    now = bool(kw.get("apply_immediately")); kw = dict(kw)
    pg = kw.get("db_parameter_group_name")
    if pg and pg != d.db_parameter_group_name: d.__dict__["_apply"] = "pending-reboot"
    if not now:
        for k, w in LATER.items():
            if kw.get(k) is not None and kw[k] != getattr(d, k): d.pending_modified_values = {**d.pending_modified_values, w: kw.pop(k)}
    out = _rmod(self, ident, kw)
    if now: d.status = "modifying"
    if kw.get("master_user_password"): d.__dict__.pop("_managed_pw", None); real_server(d)
    return out
RDSB.modify_db_instance = rmod
def reboot(self, ident):
    d = self.describe_db_instances(ident)[0]
    if d.status != "available": raise RDSClientError("InvalidDBInstanceState", f"Instance {ident} is not in available state.")
    d.status = "rebooting"; d.__dict__["_apply"] = "in-sync"; return d
RDSB.reboot_db_instance = reboot
_rdel = RDSB.delete_db_instance
def rdel(self, db_instance_identifier, final_db_snapshot_identifier=None, skip_final_snapshot=False, delete_automated_backups=True):
    d = self.describe_db_instances(db_instance_identifier)[0]
    if not skip_final_snapshot and not final_db_snapshot_identifier: raise RDSClientError("InvalidParameterCombination", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
    if d.status == "deleting": raise RDSClientError("InvalidDBInstanceState", f"Instance {db_instance_identifier} is already being deleted.")
    d = _rdel(self, db_instance_identifier, final_db_snapshot_identifier, skip_final_snapshot, delete_automated_backups)
    d.status = "deleting"; self.databases[db_instance_identifier] = d; real_server(d, gone=True); return d
RDSB.delete_db_instance = rdel
#   name: (default, type, modifiable, allowed)    values as in default.mysql8.0; names not listed here are refused
PARAMS = {"binlog_format": ("MIXED", "dynamic", 1, "ROW,STATEMENT,MIXED"), "binlog_row_image": ("full", "dynamic", 1, "full,minimal,noblob"), "binlog_row_metadata": ("MINIMAL", "dynamic", 1, "MINIMAL,FULL"), "binlog_checksum": ("CRC32", "dynamic", 1, "CRC32,NONE"),
  "binlog_row_value_options": (None, "dynamic", 1, "PARTIAL_JSON"), "binlog_transaction_compression": ("0", "dynamic", 1, "0,1"), "binlog_rows_query_log_events": ("0", "dynamic", 1, "0,1"), "gtid-mode": ("OFF_PERMISSIVE", "static", 1, "OFF,OFF_PERMISSIVE,ON_PERMISSIVE,ON"), "enforce_gtid_consistency": ("OFF", "static", 1, "OFF,WARN,ON"),
  "log_bin_trust_function_creators": ("0", "dynamic", 1, "0,1"), "max_allowed_packet": (None, "dynamic", 1, "1024-1073741824"), "time_zone": ("UTC", "dynamic", 1, None), "sql_mode": (None, "dynamic", 1, None), "character_set_server": (None, "dynamic", 1, None), "collation_server": (None, "dynamic", 1, None),
  "require_secure_transport": ("0", "dynamic", 1, "0,1"), "net_read_timeout": (None, "dynamic", 1, None), "net_write_timeout": (None, "dynamic", 1, None), "wait_timeout": (None, "dynamic", 1, None), "max_connections": ("{DBInstanceClassMemory/12582880}", "dynamic", 1, "1-100000"), "performance_schema": ("0", "static", 1, "0,1"),
  "local_infile": ("1", "dynamic", 1, "0,1"), "slow_query_log": (None, "dynamic", 1, "0,1"), "long_query_time": (None, "dynamic", 1, None), "event_scheduler": (None, "dynamic", 1, None), "innodb_lock_wait_timeout": (None, "dynamic", 1, None), "binlog_cache_size": ("32768", "dynamic", 1, None), "server_id": ("{ServerId}", "static", 0, None), "log_output": ("TABLE", "dynamic", 1, "TABLE,FILE,NONE"), "lower_case_table_names": (None, "static", 1, "0,1")}
def pgget(self):
    b, name = self.backend, self.params.get("DBParameterGroupName")
    g = b.db_parameter_groups.get((name or "").lower())
    if not g and str(name).startswith("default.mysql"): g = RM.DBParameterGroup(b, name, "default", name[8:], [])
    if not g: raise DBParameterGroupNotFoundError(name)
    return g
def describe_db_parameters(self):
    g, src = pgget(self), self.params.get("Source"); out = []
    for n, (dv, typ, mod, allowed) in sorted(PARAMS.items()):
        u = g.parameters.get(n, {}) if n in g.parameters else None
        row = {"ParameterName": n, "Source": "user" if u else ("system" if dv is not None else "engine-default"), "ApplyType": typ, "DataType": "string", "IsModifiable": bool(mod), "Description": n, "ApplyMethod": (u or {}).get("ApplyMethod", "pending-reboot")}
        v = u.get("ParameterValue") if u else dv
        if v is not None: row["ParameterValue"] = v
        if allowed: row["AllowedValues"] = allowed
        if src in (None, row["Source"]): out.append(row)
    return ActionResult({"Parameters": out})
RR.RDSResponse.describe_db_parameters = describe_db_parameters
_mpg = RDSB.modify_db_parameter_group
def mpg(self, name, plist):
    plist = list(plist)
    if str(name).startswith("default."): raise RDSClientError("InvalidParameterValue", "The parameter group is a default group and cannot be modified")
    for p in plist:
        d = PARAMS.get(p["ParameterName"])
        if not d: raise RDSClientError("InvalidParameterValue", f"Could not find parameter with name: {p['ParameterName']}")
        if not d[2]: raise RDSClientError("InvalidParameterValue", f"The parameter {p['ParameterName']} cannot be modified.")
        if d[1] == "static" and p.get("ApplyMethod") == "immediate": raise RDSClientError("InvalidParameterCombination", "cannot use immediate apply method for static parameter")
        if d[3] and "-" not in d[3] and str(p.get("ParameterValue")).lower() not in d[3].lower().split(","): raise RDSClientError("InvalidParameterValue", f"Invalid parameter value: {p.get('ParameterValue')} for: {p['ParameterName']} allowed values are: {d[3]}")
    if len(plist) > 20: raise RDSClientError("InvalidParameterValue", "At most 20 parameters can be modified in one request")
    out = _mpg(self, name, plist)
    if any(p.get("ApplyMethod") == "pending-reboot" for p in plist):
        for d in self.databases.values():
            if d.db_parameter_group_name == name: d.__dict__["_apply"] = "pending-reboot"
    return out
RDSB.modify_db_parameter_group = mpg
_rdpg = RDSB.describe_db_parameter_groups
def rdpg(self, kw):
    out = _rdpg(self, kw); n = kw.get("db_parameter_group_name")
    if n and not out and not n.startswith("default."): raise DBParameterGroupNotFoundError(n)
    return out
RDSB.describe_db_parameter_groups = rdpg
_dpg = RDSB.delete_db_parameter_group
def dpg(self, name):
    self.describe_db_instances()
    if any(d.db_parameter_group_name == name for d in self.databases.values()): raise RDSClientError("InvalidDBParameterGroupState", "One or more database instances are still members of this parameter group, so the group cannot be deleted")
    return _dpg(self, name)
RDSB.delete_db_parameter_group = dpg
_csg = RDSB.create_subnet_group
def csg(self, subnet_name, description, subnets, tags):
    if subnet_name in self.subnet_groups: raise RDSClientError("DBSubnetGroupAlreadyExists", f"The DB subnet group {subnet_name} already exists.")
    if len({s.availability_zone for s in subnets}) < 2: raise RDSClientError("DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Add subnets to cover at least 2 AZs.")
    return _csg(self, subnet_name, description, subnets, tags)
RDSB.create_subnet_group = csg
_dsg = RDSB.delete_subnet_group
def dsg(self, name):
    self.describe_db_instances()
    if any(getattr(getattr(d, "db_subnet_group", None), "subnet_name", getattr(getattr(d, "db_subnet_group", None), "name", None)) == name for d in self.databases.values()): raise RDSClientError("InvalidDBSubnetGroupStateFault", f"Cannot delete the subnet group '{name}' because at least one database instance is still using it.")
    return _dsg(self, name)
RDSB.delete_subnet_group = dsg
def describe_db_engine_versions(self):
    eng, ver = self.params.get("Engine") or "mysql", self.params.get("EngineVersion")
    vs = {"mysql": [("8.0.35", "mysql8.0"), ("8.0.39", "mysql8.0"), ("8.0.40", "mysql8.0"), ("8.4.3", "mysql8.4"), ("8.4.5", "mysql8.4")]}.get(eng, [])
    if self.params.get("DefaultOnly"): vs = vs[-1:]
    return ActionResult({"DBEngineVersions": [{"Engine": eng, "EngineVersion": v, "DBParameterGroupFamily": f, "Status": "available", "DBEngineDescription": "MySQL Community Edition"} for v, f in vs if not ver or v.startswith(ver)]})
RR.RDSResponse.describe_db_engine_versions = describe_db_engine_versions

def describe_orderable_db_instance_options(self):
    p = self.params; eng = p.get("Engine"); out = []
    for c in ("db.t3.micro", "db.t3.small", "db.t4g.micro", "db.t4g.small", "db.m5.large", "db.r5.large"):
        if p.get("DBInstanceClass") in (None, c) and eng in ("mysql", "mariadb"):
            out.append({"Engine": eng, "EngineVersion": p.get("EngineVersion") or "8.0.40", "DBInstanceClass": c, "LicenseModel": "general-public-license", "AvailabilityZones": [{"Name": self.region + z} for z in "abc"], "MultiAZCapable": True, "Vpc": True, "StorageType": "gp3", "MinStorageSize": 20, "MaxStorageSize": 65536})
    return ActionResult({"OrderableDBInstanceOptions": out})
RR.RDSResponse.describe_orderable_db_instance_options = describe_orderable_db_instance_options

# ------------------------------------------------------------------ EC2: group in use
from moto.ec2.models.security_groups import SecurityGroupBackend as SGB
from moto.ec2.exceptions import DependencyViolationError
_delsg = SGB.delete_security_group
def delsg(self, name=None, group_id=None):
    acct, reg = self.account_id, self.region_name
    used = any(group_id in getattr(d, "vpc_security_group_ids", []) and d.status != "gone" for d in RM.rds_backends[acct][reg].databases.values())
    used |= any(group_id == g["VpcSecurityGroupId"] for r in store(DM.dms_backends[acct][reg])["rep"].values() if r.status != "gone" for g in r.doc["VpcSecurityGroups"])
    if group_id and used: raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return _delsg(self, name, group_id)
SGB.delete_security_group = delsg

# ------------------------------------------------------------------ S3: conditional Deny statements, notification targets, event shape
from moto.s3 import models as SM, notifications as SN
from moto.s3.exceptions import S3ClientError
from moto.awslambda import models as LM
from moto.awslambda.policy import Policy as LPolicy
from moto.awslambda.exceptions import LambdaClientError
def get_permission(self, action, resource):
    from moto.iam.access_control import IAMPolicy, PermissionResult
    if self.policy is None: return PermissionResult.NEUTRAL
    pol = json.loads(self.policy.decode()); st = pol["Statement"] if isinstance(pol["Statement"], list) else [pol["Statement"]]
    pol["Statement"] = [s for s in st if not (s.get("Effect") == "Deny" and s.get("Condition"))]   # moto ignores Condition: a TLS-only Deny would deny everything
    return IAMPolicy(json.dumps(pol)).is_action_permitted(action, resource) if pol["Statement"] else PermissionResult.NEUTRAL
SM.FakeBucket.get_permission = get_permission
class BadTarget(S3ClientError):
    def __init__(self): super().__init__("InvalidArgument", "Unable to validate the following destination configurations")
def _lambda(arn, acct):
    try: return LM.lambda_backends[acct][arn.split(":")[3]].get_function(arn)
    except Exception: return None
_pbn = SM.S3Backend.put_bucket_notification_configuration
def pbn(self, bucket_name, cfg):
    for c in (cfg or {}).get("CloudFunctionConfiguration") or []:
        f = _lambda(c["CloudFunction"], self.account_id); arn = f"arn:aws:s3:::{bucket_name}"
        src = lambda s: ((s.get("Condition") or {}).get("ArnLike") or {}).get("AWS:SourceArn")
        if not f or not any("s3.amazonaws.com" in json.dumps(s.get("Principal")) and (src(s) is None or fnmatch.fnmatchcase(arn, src(s))) for s in f.policy.statements): raise BadTarget()
    return _pbn(self, bucket_name, cfg)
SM.S3Backend.put_bucket_notification_configuration = pbn
_ev = SN._get_s3_event
def ev(event_name, bucket, key, nid):
    e = _ev(event_name, bucket, key, nid); r = e["Records"][0]; t = time.time()
    r.update(eventTime=time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(t)) + "%03dZ" % (t % 1 * 1000), userIdentity={"principalId": "AWS:EMU"}, requestParameters={"sourceIPAddress": "127.0.0.1"}, responseElements={})
    r["s3"]["bucket"]["ownerIdentity"] = {"principalId": "EMU"}; r["s3"]["object"]["key"] = quote_plus(key.name, safe="/"); r["s3"]["object"]["sequencer"] = "%016X" % time.time_ns(); return e
SN._get_s3_event = ev
def invoke_async(account_id, body, fn_arn, region):
    f = _lambda(fn_arn, account_id)
    if f: threading.Thread(target=f._invoke_lambda, args=(body,), daemon=True).start()
SN._invoke_awslambda = invoke_async

# ------------------------------------------------------------------ Lambda: run zips as subprocesses
LF = LM.LambdaFunction
ROOT = tempfile.mkdtemp(prefix="emu-lambda-"); __import__("atexit").register(__import__("shutil").rmtree, ROOT, True)
open(f"{ROOT}/boot.mjs", "w").write("""
import fs from 'node:fs'; import path from 'node:path'; import { pathToFileURL } from 'node:url';
const [dir, handler, out] = process.argv.slice(2); const [mod, fn] = handler.split(/\\.(?=[^.]*$)/); const t0 = Date.now();
const put = (o) => { fs.writeFileSync(out, JSON.stringify(o)); process.exit(0); };
const err = (e) => { console.error(e?.stack ?? String(e)); put({error: {errorType: e?.name ?? 'Error', errorMessage: e?.message ?? String(e), trace: String(e?.stack ?? '').split('\\n')}}); };
process.on('uncaughtException', err); process.on('unhandledRejection', err);
try { const ev = JSON.parse(fs.readFileSync(0, 'utf8')); const file = ['.mjs','.js','.cjs'].map((x) => path.join(dir, mod + x)).find((x) => fs.existsSync(x));
  if (!file) throw Object.assign(new Error(`Cannot find module '${mod}'`), {name: 'Runtime.ImportModuleError'});
  const m = await import(pathToFileURL(file)); const h = m[fn] ?? m.default?.[fn]; if (typeof h !== 'function') throw Object.assign(new Error(`${handler} is undefined or not exported`), {name: 'Runtime.HandlerNotFound'});
  const lim = +process.env.EMU_TIMEOUT * 1000; const ctx = {functionName: process.env.AWS_LAMBDA_FUNCTION_NAME, functionVersion: '$LATEST', memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, awsRequestId: process.env.EMU_REQ, invokedFunctionArn: process.env.EMU_ARN, logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME, logStreamName: 'emu', getRemainingTimeInMillis: () => Math.max(0, lim - (Date.now() - t0)), callbackWaitsForEmptyEventLoop: false};
  const r = h.length >= 3 ? await new Promise((ok, no) => h(ev, ctx, (e, v) => e ? no(e) : ok(v))) : await h(ev, ctx); put({result: r === undefined ? null : r}); } catch (e) { err(e); }
""")
open(f"{ROOT}/boot.py", "w").write("""
import sys, json, os, importlib, time, traceback
d, handler, out = sys.argv[1:4]; sys.path.insert(0, d); t0 = time.time()
class Ctx:
    function_name = os.environ['AWS_LAMBDA_FUNCTION_NAME']; function_version = '$LATEST'; invoked_function_arn = os.environ['EMU_ARN']; aws_request_id = os.environ['EMU_REQ']
    memory_limit_in_mb = os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']; log_group_name = os.environ['AWS_LAMBDA_LOG_GROUP_NAME']; log_stream_name = 'emu'
    def get_remaining_time_in_millis(self): return max(0, int((float(os.environ['EMU_TIMEOUT']) - (time.time() - t0)) * 1000))
try:
    ev = json.load(sys.stdin); m, f = handler.rsplit('.', 1); o = {'result': getattr(importlib.import_module(m.replace('/', '.')), f)(ev, Ctx())}; s = json.dumps(o)
except BaseException as e:
    traceback.print_exc(); s = json.dumps({'error': {'errorType': type(e).__name__, 'errorMessage': str(e), 'stackTrace': traceback.format_tb(e.__traceback__)}})
open(out, 'w').write(s)
""")
def run_lambda(self, event=None):
    self.logs_backend.ensure_log_group(self.logs_group_name)
    req, rt = str(mock_random.uuid4()), str(self.run_time); base = f"{ROOT}/{hashlib.sha256(self.code_bytes).hexdigest()[:16]}"; code = f"{base}/fn"
    if not os.path.isdir(code):
        tmp = tempfile.mkdtemp(dir=ROOT); zipfile.ZipFile(io.BytesIO(self.code_bytes)).extractall(f"{tmp}/fn")
        if os.environ.get("CDC_EMU_NODE_MODULES"): os.symlink(os.path.abspath(os.environ["CDC_EMU_NODE_MODULES"]), f"{tmp}/node_modules")
        try: os.rename(tmp, base)
        except OSError: pass
    fd, out = tempfile.mkstemp(dir=ROOT); os.close(fd); port = os.environ.get("MOTO_PORT", "5000")
    env = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "TZ": ":UTC", "LANG": "C.UTF-8", "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region, "AWS_ACCESS_KEY_ID": "lambda", "AWS_SECRET_ACCESS_KEY": "lambda", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
           "AWS_LAMBDA_FUNCTION_NAME": self.function_name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_size), "AWS_LAMBDA_LOG_GROUP_NAME": self.logs_group_name, "AWS_EXECUTION_ENV": f"AWS_Lambda_{rt}", "_HANDLER": self.handler, "LAMBDA_TASK_ROOT": code,
           "EMU_TIMEOUT": str(self.timeout), "EMU_ARN": self.function_arn, "EMU_REQ": req, "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true", **(self.environment_vars or {})}
    cmd = ["node", f"{ROOT}/boot.mjs"] if rt.startswith("nodejs") else [sys.executable, f"{ROOT}/boot.py"]
    t0 = time.time()
    try:
        pr = subprocess.run(cmd + [code, self.handler, out], input=json.dumps(event if event is not None else {}).encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=code, timeout=float(self.timeout))
        log = pr.stdout.decode("utf-8", "replace"); raw = open(out).read(); o = json.loads(raw) if raw else {"error": {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {req} Error: Runtime exited with error: exit status {pr.returncode}"}}
    except subprocess.TimeoutExpired as e:
        log = (e.stdout or b"").decode("utf-8", "replace"); o = {"error": {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {req} Error: Task timed out after {float(self.timeout):.2f} seconds"}}
    os.unlink(out); ms = (time.time() - t0) * 1000
    logs = f"START RequestId: {req} Version: $LATEST\n{log}{'' if not log or log.endswith(chr(10)) else chr(10)}END RequestId: {req}\nREPORT RequestId: {req}\tDuration: {ms:.2f} ms\n"
    self.save_logs(logs)
    return json.dumps(o.get("error", o.get("result")), ensure_ascii=False, **({"separators": (",", ":")} if rt.startswith("nodejs") else {})), "error" in o, logs
LF._invoke_lambda = run_lambda
def linvoke(self, body, request_headers, response_headers):
    ev = json.loads(body) if body else {}
    if request_headers.get("x-amz-invocation-type", request_headers.get("X-Amz-Invocation-Type")) == "Event":
        threading.Thread(target=self._invoke_lambda, args=(ev,), daemon=True).start(); return ""
    res, errored, logs = self._invoke_lambda(ev)
    if errored: response_headers["x-amz-function-error"] = "Unhandled"
    response_headers["x-amz-executed-version"] = "$LATEST"
    response_headers["x-amz-log-result"] = base64.b64encode(logs.encode()[-4096:]).decode(); return res.encode()
LF.invoke = linvoke
class Conflict(LambdaClientError):
    code = 409
    def __init__(self, m): super().__init__("ResourceConflictException", m)
_ads = LPolicy.add_statement
def ads(self, raw, qualifier=None):
    sid = json.loads(raw).get("StatementId")
    if any(s.get("Sid") == sid for s in self.statements): raise Conflict(f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement.")
    return _ads(self, raw, qualifier)
LPolicy.add_statement = ads

# ------------------------------------------------------------------ Glue
from moto.glue import models as GM, responses as GR
from moto.glue.exceptions import AlreadyExistsException, GlueClientError
GB = GM.GlueBackend
_cj = GB.create_job
def role_ok(b, role):
    from moto.iam.models import iam_backends
    name = str(role).split("/")[-1]
    r = next((r for r in iam_backends[b.account_id]["aws"].roles.values() if r.name == name), None)
    if not r or "glue.amazonaws.com" not in str(r.assume_role_policy_document): raise GlueClientError("InvalidInputException", f"Service is unable to assume provided role {role}. Please verify role's TrustPolicy.")
def cj(self, name, role, *a, **k):
    if name in self.jobs: raise AlreadyExistsException("Job")
    role_ok(self, role); return _cj(self, name, role, *a, **k)
GB.create_job = cj
JOBKEYS = {"Description": "description", "LogUri": "log_uri", "Role": "role", "ExecutionProperty": "execution_property", "Command": "command", "DefaultArguments": "default_arguments", "NonOverridableArguments": "non_overridable_arguments", "Connections": "connections", "MaxRetries": "max_retries", "AllocatedCapacity": "allocated_capacity", "Timeout": "timeout", "MaxCapacity": "max_capacity", "WorkerType": "worker_type", "NumberOfWorkers": "number_of_workers", "SecurityConfiguration": "security_configuration", "NotificationProperty": "notification_property", "GlueVersion": "glue_version"}
def update_job(self):
    p = json.loads(self.body); j = self.glue_backend.get_job(p["JobName"]); u = p["JobUpdate"]; role_ok(self.glue_backend, u.get("Role"))
    for w, a in JOBKEYS.items(): setattr(j, a, u.get(w, {} if w in ("DefaultArguments", "ExecutionProperty") else None))   # AWS overwrites: what is absent is reset
    j.last_modified_on = GM.utcnow(); return ActionResult({"JobName": p["JobName"]})
def batch_stop_job_run(self):
    p = json.loads(self.body); j = self.glue_backend.get_job(p["JobName"]); okk, bad = [], []
    for r in p["JobRunIds"]:
        jr = next((x for x in j.job_runs if x.job_run_id == r), None)
        if jr and jr.status in ("STARTING", "RUNNING"):
            jr._transitions = [("STOPPING", "STOPPED")]; jr._status, jr._tick = "STOPPING", 0; okk.append({"JobName": j.name, "JobRunId": r})
            if getattr(jr, "proc", None): jr.proc.terminate()
        else: bad.append({"JobName": j.name, "JobRunId": r, "ErrorDetail": {"ErrorCode": "JobRunNotInTerminalStateException" if jr else "EntityNotFoundException", "ErrorMessage": "cannot stop"}})
    return ActionResult({"SuccessfulSubmissions": okk, "Errors": bad})
GR.GlueResponse.update_job, GR.GlueResponse.batch_stop_job_run = update_job, batch_stop_job_run
_jr = GM.FakeJobRun.__init__
def jr_init(self, *a, **k):
    _jr(self, *a, **k); self.completed_on, self.error = None, None; msg = (self.arguments or {}).get("--emulator-fail")
    if msg: self._transitions = [("STARTING", "RUNNING"), ("RUNNING", "FAILED")]; self.error = msg
GM.FakeJobRun.__init__ = jr_init
_jd = GM.FakeJobRun.as_dict
def jd(self):
    d = _jd(self); s = d["JobRunState"]; done = s in ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT")
    if done and not self.completed_on: self.completed_on = GM.utcnow()
    d.update(CompletedOn=self.completed_on, LogGroupName="/aws-glue/jobs", GlueVersion=getattr(self, "glue_version", None) or "5.0", ExecutionTime=int((self.completed_on or GM.utcnow()).timestamp() - self.started_on.timestamp()))
    if s == "FAILED": d["ErrorMessage"] = self.error or "Command failed with exit code 1"
    return {k: v for k, v in d.items() if v is not None}
GM.FakeJobRun.as_dict = jd
_sjr = GM.FakeJob.start_job_run
def sjr(self, *a, **k):
    rid_ = _sjr(self, *a, **k); run = self.job_runs[-1]; run.glue_version = self.glue_version; cmd = os.environ.get("CDC_EMU_GLUE_CMD")
    if cmd and "--emulator-fail" not in (run.arguments or {}):
        m = re.match(r"s3://([^/]+)/(.+)", (self.command or {}).get("ScriptLocation", "")); obj = SM.s3_backends[self.backend.account_id]["aws"].get_object(m[1], m[2]) if m else None
        run._transitions = []; run._status = "RUNNING"
        if obj is None: run._status, run.error = "FAILED", f"Script not found: {(self.command or {}).get('ScriptLocation')}"; return rid_
        f = tempfile.NamedTemporaryFile(dir=ROOT, suffix=".py", delete=False); f.write(obj.value); f.close()
        args = ["--JOB_NAME", self.name] + [x for kv in (run.arguments or {}).items() for x in kv]
        env = {**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ.get('MOTO_PORT', '5000')}", "AWS_REGION": self.backend.region_name, "AWS_DEFAULT_REGION": self.backend.region_name, "AWS_ACCESS_KEY_ID": "glue", "AWS_SECRET_ACCESS_KEY": "glue"}
        run.proc = subprocess.Popen(shlex.split(cmd) + [f.name] + args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
        def wait():
            out = run.proc.communicate()[0].decode("utf-8", "replace"); rc = run.proc.returncode
            lb = LM.logs_backends[self.backend.account_id][self.backend.region_name]
            for g in ("/aws-glue/jobs/output",):
                lb.ensure_log_group(g); lb.create_log_stream(g, run.job_run_id); lb.put_log_events(g, run.job_run_id, [{"timestamp": int(time.time() * 1000), "message": l} for l in out.splitlines()] or [{"timestamp": int(time.time() * 1000), "message": ""}])
            if run._status == "RUNNING":
                lines = [l for l in out.splitlines() if l.strip()]; run.error = (lines[-1][:400] if lines else f"exit code {rc}") if rc else None; run._status = "FAILED" if rc else "SUCCEEDED"; run.completed_on = GM.utcnow()
        threading.Thread(target=wait, daemon=True).start()
    return rid_
GM.FakeJob.start_job_run = sjr

# ------------------------------------------------------------------ tagging API: honours filters for Glue, knows DMS and RDS groups, no deleted jobs
from moto.resourcegroupstaggingapi import models as TM
TB = TM.ResourceGroupsTaggingAPIBackend
_gen = TB._get_resources_generator
NEW = getattr(TM, "TaggedResource", None)   # moto >= 5.2.5 yields objects, before that dicts
def gen(self, tag_filters=None, resource_type_filters=None, **kw):
    def hit(tags): return all(any(k == f["Key"] and (not f.get("Values") or v in f["Values"]) for k, v in tags.items()) for f in tag_filters or [])
    acct, reg, only = self.account_id, self.region_name, kw.get("resource_arn_list"); gb = GM.glue_backends[acct][reg]; seen = set()
    want = lambda t: not resource_type_filters or any(f in (t.split(":")[0], t) for f in resource_type_filters)
    def out(arn, tags, typ):
        if arn in seen or not tags or not hit(tags) or (only and arn not in only): return None
        seen.add(arn); return NEW(arn, tags, typ) if NEW else {"ResourceARN": arn, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
    for r in _gen(self, tag_filters, resource_type_filters, **kw):
        a, tags = (r.arn, r.tags) if NEW else (r["ResourceARN"], {t["Key"]: t["Value"] for t in r.get("Tags") or []})
        if ":dms:" in a: continue
        if ":glue:" in a and ":job/" in a and a.split(":job/")[1] not in gb.jobs: continue
        if ":rds:" in a and ":db:" in a and getattr(RM.rds_backends[acct][reg].databases.get(a.split(":")[-1]), "status", "gone") == "gone": continue
        if (x := out(a, tags, getattr(r, "resource_type", ""))): yield x
    db = DM.dms_backends[acct][reg]
    for k in ("task", "rep", "endpoint", "subgrp"):
        for arn, r in store(db)[k].items():
            if want("dms:" + k) and r.status != "gone" and (x := out(arn, db.tagger.get_tag_dict_for_resource(arn), "dms:" + k)): yield x
    rb = RM.rds_backends[acct][reg]
    for kind, d in (("pg", rb.db_parameter_groups), ("subgrp", rb.subnet_groups)):
        for g in d.values():
            if want("rds:" + kind) and (x := out(g.arn, {t["Key"]: t["Value"] for t in (g.get_tags() if hasattr(g, "get_tags") else g.tags)}, "rds:" + kind)): yield x
TB._get_resources_generator = gen

# ------------------------------------------------------------------ control endpoint
from moto.moto_api._internal import urls as MU
def control(request, full_url, headers):
    if request.method == "POST": CONTROL.update(json.loads(request.data or b"{}"))
    alive = {}
    for acct, regs in list(DM.dms_backends.items()):
        for reg, b in list(regs.items()):
            for k in ("task", "rep", "endpoint", "subgrp"):
                for r in store(b)[k].values():
                    if r.status != "gone": alive.setdefault("dms:" + k, []).append(f"{reg}:{r.doc.get('ReplicationTaskIdentifier') or r.doc.get('EndpointIdentifier') or r.doc.get('ReplicationInstanceIdentifier') or r.doc.get('ReplicationSubnetGroupIdentifier')}:{r.status}")
    for nm, bs, at in (("rds", RM.rds_backends, "databases"), ("rds-pg", RM.rds_backends, "db_parameter_groups"), ("glue", GM.glue_backends, "jobs")):
        for acct, regs in list(bs.items()):
            for reg, b in list(regs.items()):
                for i, d in getattr(b, at).items():
                    if getattr(d, "status", "") != "gone": alive.setdefault(nm, []).append(f"{reg}:{i}")
    for acct, regs in list(LM.lambda_backends.items()):
        for reg, b in list(regs.items()):
            for f in b.list_functions(): alive.setdefault("lambda", []).append(f"{reg}:{f.function_name}")
    return 200, {"Content-Type": "application/json"}, json.dumps({"control": CONTROL, "alive": alive})
MU.url_paths["{0}/moto-api/cdc-control"] = control

def end_with_parent():
    """the parent holds our stdin: when it has gone, so must functions and scripts under way"""
    sys.stdin.buffer.read(); os.killpg(0, 9)

if __name__ == "__main__":
    from moto.server import main
    if os.getpgid(0) == os.getpid() and not sys.stdin.isatty(): threading.Thread(target=end_with_parent, daemon=True).start()
    main()
