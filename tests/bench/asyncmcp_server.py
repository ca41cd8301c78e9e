"""The stock asyncmcp 0.2.1 server with one webhook tool that takes no time and answers 2 KiB.

usage: asyncmcp_server.py PORT
"""

import logging
import sys

import anyio
import uvicorn
from asyncmcp.streamable_http_webhook.manager import StreamableHTTPWebhookSessionManager
from asyncmcp.streamable_http_webhook.utils import StreamableHTTPWebhookConfig
from mcp import types
from mcp.server.lowlevel import Server

RESULT = [types.TextContent(type="text", text="y" * 2048)]

logging.getLogger().setLevel(logging.ERROR)
server = Server("bench")


@server.list_tools()
async def list_tools():
    return [types.Tool(name="work", inputSchema={"type": "object"})]


@server.call_tool()
async def call_tool(name, arguments):
    return RESULT


async def main():
    manager = StreamableHTTPWebhookSessionManager(server, StreamableHTTPWebhookConfig(), webhook_tools={"work"})
    async with manager.run():
        config = uvicorn.Config(
            manager.asgi_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False
        )
        await uvicorn.Server(config).serve()


anyio.run(main)
