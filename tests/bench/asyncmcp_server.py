"""The stock asyncmcp 0.2.1 server with one tool that takes no time: a webhook tool that answers 2 KiB, or one that answers
256 bytes on the call's own connection, as JSON or as an event stream.

usage: asyncmcp_server.py PORT [json|sse]
"""

import logging
import sys

import anyio
import uvicorn
from asyncmcp.streamable_http_webhook.manager import StreamableHTTPWebhookSessionManager
from asyncmcp.streamable_http_webhook.utils import StreamableHTTPWebhookConfig
from mcp import types
from mcp.server.lowlevel import Server

FORM = sys.argv[2] if len(sys.argv) > 2 else "webhook"
RESULT = [types.TextContent(type="text", text="y" * (2048 if FORM == "webhook" else 256))]

logging.getLogger().setLevel(logging.ERROR)
server = Server("bench")


@server.list_tools()
async def list_tools():
    return [types.Tool(name="work", inputSchema={"type": "object"})]


@server.call_tool()
async def call_tool(name, arguments):
    return RESULT


async def main():
    config = StreamableHTTPWebhookConfig(json_response=FORM == "json")
    tools = {"work"} if FORM == "webhook" else set()
    manager = StreamableHTTPWebhookSessionManager(server, config, webhook_tools=tools)
    async with manager.run():
        config = uvicorn.Config(
            manager.asgi_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False
        )
        await uvicorn.Server(config).serve()


anyio.run(main)
