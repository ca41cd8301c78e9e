"""The stock FastMCP client, in legacy or auto mode, or pinned to a version.

usage: fast.py '{"url": URL, "mode": "legacy" | "auto" | VERSION}'
"""

import json
import sys

import anyio
import httpx2
import mcp_types as types
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from lines import Heard, answer, plain


async def main(url, mode):
    heard = Heard()

    def http(**settings):
        settings.setdefault("timeout", httpx2.Timeout(30, read=300))  # as the SDK has it by default
        return httpx2.AsyncClient(**settings, event_hooks={"response": [heard.response]})

    async def on_message(message):
        if isinstance(message, types.ToolListChangedNotification):
            heard.list_changed += 1

    transport = StreamableHttpTransport(url, httpx_client_factory=http)
    async with Client(transport, mode=mode, message_handler=on_message) as client:

        async def about():
            named = client.server_info and client.server_info.name
            return {"version": client.protocol_version, "server": named or None}

        async def tools():
            return [plain(tool) for tool in await client.list_tools()]

        async def ping():
            await client.ping()
            return {}

        async def call(tool, arguments):
            progress = []

            async def on_progress(done, total, _message):
                progress.append([done, total])

            result = await client.call_tool_mcp(tool, arguments, progress_handler=on_progress)
            return {"result": plain(result), "progress": progress}

        await answer({"about": about, "list": tools, "ping": ping, "call": call, "heard": heard.so_far})


anyio.run(lambda: main(**json.loads(sys.argv[1])))
