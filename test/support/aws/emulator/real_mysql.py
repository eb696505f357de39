"""The real MySQL that may stand behind the endpoints of RDS instances (CDC_EMU_RDS_ADMIN=user:password@host:port).

An instance that is created gets its master user with the rights that RDS gives, its database, the dynamic parameters of
its group, and the procedures rds_set_configuration and rds_show_configuration. When the last instance is deleted, or the
account is reset, the server is as it was found: databases and users that were not there go.
"""

import os
import re
import threading

LOCK = threading.Lock()
MASTER_RIGHTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, "
    "CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, CREATE ROLE, DROP ROLE, APPLICATION_PASSWORD_ADMIN, "
    "ROLE_ADMIN, SET_USER_ID, XA_RECOVER_ADMIN"
)
RETENTION = "binlog retention hours"
PROCEDURES = (
    "CREATE TABLE IF NOT EXISTS mysql.rds_configuration "
    "(name VARCHAR(100) PRIMARY KEY, value VARCHAR(100), description VARCHAR(300) NOT NULL DEFAULT '')",
    f"INSERT IGNORE INTO mysql.rds_configuration (name, value) VALUES ('{RETENTION}', NULL)",
    "DROP PROCEDURE IF EXISTS mysql.rds_set_configuration",
    f"""CREATE PROCEDURE mysql.rds_set_configuration(IN p_name VARCHAR(30), IN p_value INT)
    BEGIN
      IF p_name <> '{RETENTION}' THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Unknown configuration parameter';
      END IF;
      IF p_value < 1 OR p_value > 168 THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'For binlog retention hours the value must be between 1 and 168 or be NULL';
      END IF;
      UPDATE mysql.rds_configuration SET value = p_value WHERE name = p_name;
    END""",
    "DROP PROCEDURE IF EXISTS mysql.rds_show_configuration",
    "CREATE PROCEDURE mysql.rds_show_configuration() SELECT * FROM mysql.rds_configuration",
)
# The server as it was found: {"users": ..., "schemas": ..., "variables": {name: value}}
found = {}


def connect():
    """None when the endpoints of this emulator are names only."""
    admin = os.environ.get("CDC_EMU_RDS_ADMIN")
    if not admin:
        return None
    import pymysql

    user, password, host, port = re.fullmatch(r"([^:]+):(.*)@([^:@]+):(\d+)", admin).groups()
    return pymysql.connect(host=host, port=int(port), user=user, password=password, autocommit=True)


def on_server(work):
    with LOCK:
        connection = connect()
        if connection is None:
            return
        with connection, connection.cursor() as cursor:
            if not found:
                found.update(users=users(cursor), schemas=schemas(cursor), variables={})
            work(cursor)


def create(instance, parameter_group):
    def work(cursor):
        for statement in PROCEDURES:
            cursor.execute(statement)
        cursor.execute("DROP USER IF EXISTS %s@'%%'", (instance.master_username,))
        cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (instance.master_username, password_of(instance)))
        cursor.execute(f"GRANT {MASTER_RIGHTS} ON *.* TO %s@'%%' WITH GRANT OPTION", (instance.master_username,))
        if instance.db_name:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {quoted(instance.db_name)}")
        set_variables(cursor, parameter_group)

    on_server(work)


def set_password(instance):
    on_server(
        lambda cursor: cursor.execute(
            "ALTER USER %s@'%%' IDENTIFIED BY %s", (instance.master_username, password_of(instance))
        )
    )


def password_of(instance):
    return instance.__dict__.get("managed_password") or instance.__dict__["_master_user_password"]


def apply_parameters(group, method=None):
    on_server(lambda cursor: set_variables(cursor, group, method))


def set_variables(cursor, group, method=None):
    import pymysql

    for name, parameter in (group.parameters if group else {}).items():
        if method not in (None, parameter.get("ApplyMethod")):
            continue
        variable = name.replace("-", "_")
        try:
            cursor.execute(f"SELECT @@GLOBAL.{variable}")
            before = cursor.fetchone()[0]
            cursor.execute(f"SET GLOBAL {variable} = %s", (as_number(parameter["ParameterValue"]),))
            found["variables"].setdefault(variable, before)
        except pymysql.MySQLError:
            # A static one, or one that this version does not have: RDS would set it at a restart.
            pass


def delete(instance, last):
    def work(cursor):
        cursor.execute("DROP USER IF EXISTS %s@'%%'", (instance.master_username,))
        if last:
            restore(cursor)

    on_server(work)


def reset():
    if found:
        on_server(restore)


def restore(cursor):
    for schema in schemas(cursor) - found["schemas"]:
        cursor.execute(f"DROP DATABASE {quoted(schema)}")
    for user, host in users(cursor) - found["users"]:
        cursor.execute("DROP USER %s@%s", (user, host))
    for variable, value in found["variables"].items():
        cursor.execute(f"SET GLOBAL {variable} = %s", (value,))
    cursor.execute("DROP TABLE IF EXISTS mysql.rds_configuration")
    for procedure in ("rds_set_configuration", "rds_show_configuration"):
        cursor.execute(f"DROP PROCEDURE IF EXISTS mysql.{procedure}")
    found.clear()


def users(cursor):
    cursor.execute("SELECT user, host FROM mysql.user")
    return set(cursor.fetchall())


def schemas(cursor):
    cursor.execute("SHOW DATABASES")
    return {row[0] for row in cursor.fetchall()}


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def as_number(text):
    return int(text) if text.isdigit() else text
