"""An action that moto has not implemented, and one in which the emulator itself fails, answer 501 with their names, in the
caller's protocol; moto would send a page of HTML."""

import json
import traceback
from xml.sax.saxutils import escape

from flask import Response, request
from moto.core.utils import convert_to_flask_response
from werkzeug.exceptions import HTTPException

from common import replaces


@replaces(convert_to_flask_response, "__call__")
def call(original, self, args=None, **named):
    try:
        return original(self, args, **named)
    except HTTPException:
        raise
    except Exception as error:
        if isinstance(error, NotImplementedError) and "has not been implemented" in str(error):
            return answer("NotImplemented", f"emulator: {error} ({request.host} {request.path})")
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        return answer("EmulatorFailed", f"emulator: {error!r} in {where.filename}:{where.lineno}")


def answer(code, message):
    authorization = request.headers.get("Authorization", "")
    if "json" in str(request.headers.get("Content-Type", "")) or request.headers.get("X-Amz-Target"):
        headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
        return Response(json.dumps({"__type": code, "message": message}), 501, headers)
    element = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if "/ec2/aws4_request" in authorization:
        element = f"<Response><Errors>{element}</Errors><RequestID>emulator</RequestID></Response>"
    elif "/s3/aws4_request" not in authorization:
        element = f"<ErrorResponse>{element}<RequestId>emulator</RequestId></ErrorResponse>"
    return Response(element, 501, {"content-type": "text/xml"})
