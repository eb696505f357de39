"""An action that moto has not implemented, and one in which the emulator itself fails, answer 501 with their names, in the
caller's protocol; moto would send a page of HTML."""

import json
import traceback
from xml.sax.saxutils import escape

from moto.core.responses import BaseResponse

from common import replaces


@replaces(BaseResponse, "call_action")
def call_action(original, self):
    try:
        return original(self)
    except Exception as error:
        if isinstance(error, NotImplementedError) and "has not been implemented" in str(error):
            return answer(self, "NotImplemented", f"emulator: {self.service_name} {error}")
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        return answer(self, "EmulatorFailed", f"emulator: {error!r} in {where.filename}:{where.lineno}")


def answer(self, code, message):
    if "json" in str(self.headers.get("Content-Type", "")) or self.headers.get("X-Amz-Target"):
        headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
        return 501, headers, json.dumps({"__type": code, "message": message})
    element = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if self.service_name == "ec2":
        body = f"<Response><Errors>{element}</Errors><RequestID>emulator</RequestID></Response>"
    else:
        body = f"<ErrorResponse>{element}<RequestId>emulator</RequestId></ErrorResponse>"
    return 501, {"content-type": "text/xml"}, body
