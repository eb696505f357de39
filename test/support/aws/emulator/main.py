"""An AWS account on this machine: moto_server 5.2.5 with the repairs and the refusals that a CDC pipeline meets.

    MOTO_IAM_LOAD_MANAGED_POLICIES=true python main.py -H 127.0.0.1 -p PORT

This is our model of AWS, not AWS: where the two differ, the reference of AWS facts is right and this is to be mended.
What each file adds to moto stands at its head; what moto does well (S3, STS, most of IAM and EC2, Secrets Manager, logs)
is left as it is.

Not modelled: PassRole and the caller's rights, conditions of policies, reachability by security groups, quotas, prices; of
DMS's work whatever ../dms-shape.ts does not know.

States go on by moto's state manager, with each look unless a test says otherwise; control.py has what tests can tell and
ask.

Environment:
  CDC_EMU_RDS_ENDPOINT=127.0.0.1:3306        the endpoint of every RDS instance: a real MySQL
  CDC_EMU_RDS_ADMIN=root:pw@127.0.0.1:3306   that server's administrator; see real_mysql.py
  CDC_EMU_REAL_CONNECT=1                     TestConnection really connects and logs in to a database
  CDC_EMU_NODE_MODULES=DIR                   what functions of Node may import: the SDK that the real runtime ships
  CDC_EMU_DMS_CMD="node task.js"             tasks of DMS really move data; see dms_runs.py
  CDC_EMU_GLUE_CMD="python3"                 really runs Glue scripts; see glue.py
"""

import os
import signal
import sys
import threading

from moto.server import main

import control  # noqa: F401
import dms_catalogue  # noqa: F401
import dms_connections  # noqa: F401
import dms_endpoints  # noqa: F401
import dms_instances  # noqa: F401
import dms_runs  # noqa: F401
import dms_tasks  # noqa: F401
import ec2  # noqa: F401
import frugal  # noqa: F401
import glue  # noqa: F401
import iam  # noqa: F401
import lambdas  # noqa: F401
import own_failures  # noqa: F401
import rds_catalogue  # noqa: F401
import rds_create  # noqa: F401
import rds_parameters  # noqa: F401
import s3  # noqa: F401
import secrets_manager  # noqa: F401
import tagging  # noqa: F401


def end_with_parent():
    """Our parent holds our stdin: once it has gone, so must functions and scripts under way."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    if os.getpgid(0) == os.getpid() and not sys.stdin.isatty():
        threading.Thread(target=end_with_parent, daemon=True).start()
    main()
