"""A receiver that believes what the stock `standardwebhooks` of PyPI verifies. Prints a line of JSON per POST.

usage: receiver.py PORT SECRET
"""

import json
import sys

import uvicorn
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

webhook = Webhook(sys.argv[2])


async def receive(request):
    body = await request.body()
    try:
        webhook.verify(body, dict(request.headers))
        flaw = None
    except WebhookVerificationError as error:
        flaw = str(error)
    line = {"flaw": flaw, "headers": dict(request.headers), "body": json.loads(body)}
    print(json.dumps(line), flush=True)
    return JSONResponse({}, 401 if flaw else 200)


app = Starlette(routes=[Route("/webhook", receive, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
