"""The stock `mcp` 1.x client; with "webhook" on the transport of the stock `asyncmcp` client and its receiver.

usage: mcp1.py '{"url": URL, "webhook": null | {"port": PORT, "secret": "whsec_..."}}'
"""

import json
import sys
from contextlib import asynccontextmanager

import anyio
import httpx
import uvicorn
from asyncmcp.streamable_http_webhook.client import streamable_http_webhook_client
from asyncmcp.streamable_http_webhook.utils import StreamableHTTPWebhookClientConfig
from mcp import ClientSession, McpError, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from lines import Heard, answer, described, plain


@asynccontextmanager
async def plain_streams(url, heard):
    http = httpx.AsyncClient(timeout=httpx.Timeout(30, read=300), event_hooks={"response": [heard.response]})
    async with http, streamable_http_client(url, http_client=http) as (read, write, _session_id):
        yield read, write, {}


@asynccontextmanager
async def webhook_streams(url, heard, port, secret):
    """asyncmcp's own transport and handler, and in front of the handler someone else's verifier."""

    def factory(**settings):
        client = create_mcp_http_client(**settings)
        client.event_hooks = {"response": [heard.response]}
        return client

    config = StreamableHTTPWebhookClientConfig(server_url=url, webhook_url=f"http://127.0.0.1:{port}/webhook")
    deliveries = {"refused": [], "ids": set()}
    async with streamable_http_webhook_client(config, httpx_client_factory=factory) as (read, write, client):
        handle = await client.get_webhook_callback()

        async def receive(request):
            try:
                Webhook(secret).verify(await request.body(), dict(request.headers))
            except WebhookVerificationError as error:
                deliveries["refused"].append(str(error))
                return JSONResponse({"error": str(error)}, 401)
            deliveries["ids"].add(request.headers["webhook-id"])
            return await handle(request)

        app = Starlette(routes=[Route("/webhook", receive, methods=["POST"])])
        async with serving(app, port):
            yield read, write, deliveries


@asynccontextmanager
async def serving(app, port):
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        while not server.started:
            await anyio.sleep(0.01)
        yield
        server.should_exit = True


async def main(url, webhook):
    heard = Heard()

    async def on_message(message):
        if isinstance(message, types.ServerNotification) and isinstance(
            message.root, types.ToolListChangedNotification
        ):
            heard.list_changed += 1

    streams = webhook_streams(url, heard, **webhook) if webhook else plain_streams(url, heard)
    async with (
        streams as (read, write, deliveries),
        ClientSession(read, write, message_handler=on_message) as session,
        anyio.create_task_group() as tasks,
    ):
        initialized = await session.initialize()

        async def about():
            return {"version": initialized.protocolVersion, "server": initialized.serverInfo.name}

        async def tools():
            return plain(await session.list_tools())["tools"]

        async def prompts():
            return plain(await session.list_prompts())["prompts"]

        async def resources():
            return plain(await session.list_resources())["resources"]

        async def templates():
            return plain(await session.list_resource_templates())["resourceTemplates"]

        async def ping():
            return plain(await session.send_ping())

        async def call(tool, arguments):
            progress = []

            async def on_progress(done, total, _message):
                progress.append([done, total])

            result = await session.call_tool(tool, arguments, progress_callback=on_progress)
            return {"result": plain(result), "progress": progress}

        begun = {}

        async def begin(tool, arguments):
            """Calls without waiting for the answer."""
            begun.update(id=session._request_id, answered=anyio.Event())

            async def calling():
                try:
                    begun["answer"] = await call(tool, arguments)
                except McpError as raised:
                    begun["answer"] = described(raised)
                begun["answered"].set()

            tasks.start_soon(calling)

        async def give_up():
            """Cancels what was begun. This SDK leaves the notification to the application."""
            params = types.CancelledNotificationParams(requestId=begun["id"], reason="given up")
            note = types.CancelledNotification(params=params)
            await session.send_notification(types.ClientNotification(note))
            await begun["answered"].wait()
            return begun["answer"]

        async def many(calls, lanes):
            """Each of `calls` once, in so many lanes; the texts that came back, in the order of the calls."""
            texts = [None] * len(calls)

            async def lane(first):
                for index in range(first, len(calls), lanes):
                    result = await session.call_tool(calls[index]["tool"], calls[index]["arguments"])
                    texts[index] = result.content[0].text

            async with anyio.create_task_group() as all_lanes:
                for first in range(lanes):
                    all_lanes.start_soon(lane, first)
            return texts

        async def delivered():
            return {**deliveries, "ids": len(deliveries["ids"])}

        await answer(
            {
                "about": about,
                "list": tools,
                "prompts": prompts,
                "resources": resources,
                "templates": templates,
                "ping": ping,
                "call": call,
                "begin": begin,
                "give_up": give_up,
                "many": many,
                "heard": heard.so_far,
                "delivered": delivered,
            }
        )


anyio.run(lambda: main(**json.loads(sys.argv[1])))
