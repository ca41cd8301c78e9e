"""A receiver that believes what the stock `standardwebhooks` of PyPI verifies and the stock `cloudevents` reads as an
event. Prints a line of JSON per POST.

usage: receiver.py PORT SECRET
"""

import json
import sys

import uvicorn
from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

webhook = Webhook(sys.argv[2])


async def receive(request):
    body = await request.body()
    try:
        webhook.verify(body, dict(request.headers))
        flaw, event = None, read(dict(request.headers), body)
    except WebhookVerificationError as error:
        flaw, event = str(error), None
    except Exception as error:  # the SDK's own, for what is no event
        flaw, event = f"no CloudEvent: {error!r}", None
    line = {
        "flaw": flaw,
        "headers": dict(request.headers),
        "raw": body.decode(),
        "body": json.loads(body),
        "event": event,
    }
    print(json.dumps(line), flush=True)
    return JSONResponse({}, 401 if flaw else 200)


def read(headers, body):
    """The event in binary mode: its attributes, and its data."""
    event = from_http(HTTPMessage(headers, body), JSONFormat())
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    return {"attributes": attributes, "data": event.get_data()}


app = Starlette(routes=[Route("/webhook", receive, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
