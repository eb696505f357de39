"""Parameter groups of RDS: defaults and allowed values, pending reboots, what is in use.

Names that are not listed here are refused, as RDS refuses names that it does not know.
"""

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBParameterGroupNotFoundError
from moto.rds.models import DBParameterGroup, RDSBackend
from moto.rds.responses import RDSResponse

import real_mysql
from common import adds, replaces
from rds import refuse, remove_gone

MODIFIABLE, FIXED = True, False
SWITCH = "0,1"
#   name: (default, apply type, modifiable, allowed values), as in default.mysql8.0
PARAMETERS = {
    "binlog_cache_size": ("32768", "dynamic", MODIFIABLE, None),
    "binlog_checksum": ("CRC32", "dynamic", MODIFIABLE, "CRC32,NONE"),
    "binlog_format": ("MIXED", "dynamic", MODIFIABLE, "ROW,STATEMENT,MIXED"),
    "binlog_row_image": ("full", "dynamic", MODIFIABLE, "full,minimal,noblob"),
    "binlog_row_metadata": ("MINIMAL", "dynamic", MODIFIABLE, "MINIMAL,FULL"),
    "binlog_row_value_options": (None, "dynamic", MODIFIABLE, "PARTIAL_JSON"),
    "binlog_rows_query_log_events": ("0", "dynamic", MODIFIABLE, SWITCH),
    "binlog_transaction_compression": ("0", "dynamic", MODIFIABLE, SWITCH),
    "character_set_server": (None, "dynamic", MODIFIABLE, None),
    "collation_server": (None, "dynamic", MODIFIABLE, None),
    "enforce_gtid_consistency": ("OFF", "static", MODIFIABLE, "OFF,WARN,ON"),
    "event_scheduler": (None, "dynamic", MODIFIABLE, None),
    "gtid-mode": ("OFF_PERMISSIVE", "static", MODIFIABLE, "OFF,OFF_PERMISSIVE,ON_PERMISSIVE,ON"),
    "innodb_lock_wait_timeout": (None, "dynamic", MODIFIABLE, None),
    "local_infile": ("1", "dynamic", MODIFIABLE, SWITCH),
    "log_bin_trust_function_creators": ("0", "dynamic", MODIFIABLE, SWITCH),
    "log_output": ("TABLE", "dynamic", MODIFIABLE, "TABLE,FILE,NONE"),
    "long_query_time": (None, "dynamic", MODIFIABLE, None),
    "lower_case_table_names": (None, "static", MODIFIABLE, SWITCH),
    "max_allowed_packet": (None, "dynamic", MODIFIABLE, "1024-1073741824"),
    "max_connections": ("{DBInstanceClassMemory/12582880}", "dynamic", MODIFIABLE, "1-100000"),
    "net_read_timeout": (None, "dynamic", MODIFIABLE, None),
    "net_write_timeout": (None, "dynamic", MODIFIABLE, None),
    "performance_schema": ("0", "static", MODIFIABLE, SWITCH),
    "require_secure_transport": ("0", "dynamic", MODIFIABLE, SWITCH),
    "server_id": ("{ServerId}", "static", FIXED, None),
    "slow_query_log": (None, "dynamic", MODIFIABLE, SWITCH),
    "sql_mode": (None, "dynamic", MODIFIABLE, None),
    "time_zone": ("UTC", "dynamic", MODIFIABLE, None),
    "wait_timeout": (None, "dynamic", MODIFIABLE, None),
}
# 8.4 comes with ROW.
DEFAULTS_OF_8_4 = {"binlog_format": "ROW"}


def group_named(backend, name):
    group = backend.db_parameter_groups.get((name or "").lower())
    if group is None and str(name).startswith("default.mysql"):
        group = DBParameterGroup(backend, name, "default", name.removeprefix("default."), [])
    if group is None:
        raise DBParameterGroupNotFoundError(name)
    return group


@adds(RDSResponse)
def describe_db_parameters(self):
    group, wanted = group_named(self.backend, self.params.get("DBParameterGroupName")), self.params.get("Source")
    rows = []
    for name, (default, apply_type, modifiable, allowed) in sorted(PARAMETERS.items()):
        own = group.parameters[name] if name in group.parameters else None
        if group.family == "mysql8.4":
            default = DEFAULTS_OF_8_4.get(name, default)
        value = own.get("ParameterValue") if own else default
        source = "user" if own else "engine-default" if default is None else "system"
        if wanted not in (None, source):
            continue
        rows.append(
            {
                "ParameterName": name,
                "Description": name,
                "Source": source,
                "ApplyType": apply_type,
                "DataType": "string",
                "IsModifiable": modifiable,
                "ApplyMethod": (own or {}).get("ApplyMethod", "pending-reboot"),
                **({} if value is None else {"ParameterValue": value}),
                **({} if allowed is None else {"AllowedValues": allowed}),
            }
        )
    return ActionResult({"Parameters": rows})


@replaces(RDSBackend, "modify_db_parameter_group")
def modify_db_parameter_group(original, self, name, parameters):
    parameters = list(parameters)
    if str(name).startswith("default."):
        refuse("InvalidParameterValue", "The parameter group is a default group and cannot be modified")
    for parameter in parameters:
        check(parameter)
    if len(parameters) > 20:
        refuse("InvalidParameterValue", "At most 20 parameters can be modified in one request")
    result = original(self, name, parameters)
    users = [each for each in self.databases.values() if each.db_parameter_group_name == name and each.status != "gone"]
    if any(parameter.get("ApplyMethod") == "pending-reboot" for parameter in parameters):
        for instance in users:
            instance.__dict__["apply_status"] = "pending-reboot"
    if users:
        real_mysql.apply_parameters(self.db_parameter_groups[name], method="immediate")
    return result


def check(parameter):
    name, value = parameter["ParameterName"], parameter.get("ParameterValue")
    if name not in PARAMETERS:
        refuse("InvalidParameterValue", f"Could not find parameter with name: {name}")
    _, apply_type, modifiable, allowed = PARAMETERS[name]
    if not modifiable:
        refuse("InvalidParameterValue", f"The parameter {name} cannot be modified.")
    if apply_type == "static" and parameter.get("ApplyMethod") == "immediate":
        refuse("InvalidParameterCombination", "cannot use immediate apply method for static parameter")
    if allowed and "-" not in allowed and str(value).lower() not in allowed.lower().split(","):
        refuse("InvalidParameterValue", f"Invalid parameter value: {value} for: {name} allowed values are: {allowed}")


@replaces(RDSBackend, "describe_db_parameter_groups")
def describe_db_parameter_groups(original, self, given):
    groups, name = original(self, given), given.get("db_parameter_group_name")
    if name and not groups and not name.startswith("default."):
        raise DBParameterGroupNotFoundError(name)
    return groups


@replaces(RDSBackend, "delete_db_parameter_group")
def delete_db_parameter_group(original, self, name):
    remove_gone(self)
    if any(instance.db_parameter_group_name == name for instance in self.databases.values()):
        refuse(
            "InvalidDBParameterGroupState",
            "One or more database instances are still members of this parameter group, so the group cannot be deleted",
        )
    return original(self, name)
