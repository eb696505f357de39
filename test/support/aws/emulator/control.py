"""What tests tell the emulator and ask of it.

POST /moto-api/cdc-control {"task_fail": "…", …}   tells it; see NOTHING_TOLD in common.py
POST /moto-api/cdc-control {"transitions": {"rds::dbinstance": {"progression": "manual", "times": 2}}}
POST /moto-api/cdc-control {"reset": true}         an empty account, nothing told, the real MySQL as it was found
GET  /moto-api/cdc-control                         {"told": …, "alive": {kind: [name, …]}}; see alive.py
GET  /moto-api/cdc-control?settings                {"settings": {kind: {name: …}}}
"""

import json

from moto.moto_api import state_manager
from moto.moto_api._internal import urls
from moto.moto_api._internal.models import moto_api_backend

import dms_runs
import real_mysql
from alive import alive, settings
from common import NOTHING_TOLD, TOLD

# What tests set is not undone by moto's reset.
transitions = dict(state_manager._transitions)


def control(request, _url, _headers):
    if request.method == "POST":
        given = json.loads(request.data or b"{}")
        if given.pop("reset", False):
            reset()
        state_manager._transitions.update(given.pop("transitions", {}))
        unknown = set(given) - set(TOLD)
        if unknown:
            return 400, {}, f"cannot be told: {', '.join(unknown)}"
        TOLD.update(given)
    answer = {"settings": settings()} if "settings" in request.args else {"told": TOLD, "alive": alive()}
    body = json.dumps(answer)
    return 200, {"Content-Type": "application/json"}, body


def reset():
    dms_runs.end_all()
    real_mysql.reset()
    moto_api_backend.reset()
    TOLD.clear()
    TOLD.update(NOTHING_TOLD)
    state_manager._transitions.clear()
    state_manager._transitions.update(transitions)


urls.url_paths["{0}/moto-api/cdc-control"] = control
