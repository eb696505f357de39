"""What a replication instance finds when it tries an address: with CDC_EMU_REAL_CONNECT it really connects and logs in."""

import os
import socket
import tempfile

FAILED = "Test Endpoint failed: Application-Status: 1020912, Application-Message: Cannot connect to ODBC provider"


def why_no_login(address, ssl_mode, pem):
    """None when the login works, or when nobody asked for real ones."""
    if not os.environ.get("CDC_EMU_REAL_CONNECT"):
        return None
    host, port = address["host"], int(address["port"])
    try:
        socket.create_connection((host, port), 3).close()
    except OSError as error:
        return f"{FAILED} Network error has occurred, {error}"
    import pymysql

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        tls = {}
        if ssl_mode in ("verify-ca", "verify-full"):
            file.write(pem)
            file.flush()
            tls = {"ssl_ca": file.name, "ssl_verify_cert": True, "ssl_verify_identity": ssl_mode == "verify-full"}
        try:
            login = {"user": address["username"], "password": address["password"]}
            pymysql.connect(host=host, port=port, connect_timeout=3, **login, **tls).close()
        except pymysql.MySQLError as error:
            return f"{FAILED} [MySQL][ODBC 8.0(w) Driver]{error.args[-1]}"
    return None
