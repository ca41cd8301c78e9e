"""The stock `mcp` 2.x client, in legacy or auto mode, or pinned to a version.

usage: mcp2.py '{"url": URL, "mode": "legacy" | "auto" | VERSION, "capable": BOOL}'
"""

import json
import sys

import anyio
import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from lines import Heard, answer, plain


async def main(url, mode, capable):
    heard = Heard()
    http = httpx2.AsyncClient(timeout=httpx2.Timeout(30, read=300), event_hooks={"response": [heard.response]})

    async def on_message(message):
        if isinstance(message, types.ToolListChangedNotification):
            heard.list_changed += 1

    async def sample(_context, params):
        heard.asked.append("sampling/createMessage")
        return types.CreateMessageResult(
            role="assistant", content=types.TextContent(type="text", text="sampled here"), model="none"
        )

    async def elicit(_context, params):
        heard.asked.append("elicitation/create")
        return types.ElicitResult(action="accept", content={"name": "elicited here"})

    async def roots(_context):
        heard.asked.append("roots/list")
        return types.ListRootsResult(roots=[types.Root(uri="file:///rooted/here", name="rooted here")])

    abilities = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
    async with http, Client(
        streamable_http_client(url, http_client=http),
        mode=mode,
        message_handler=on_message,
        **(abilities if capable else {}),
    ) as client:

        async def about():
            return {"version": client.protocol_version, "server": client.server_info and client.server_info.name}

        async def tools():
            return plain(await client.list_tools())["tools"]

        async def prompts():
            return plain(await client.list_prompts())["prompts"]

        async def resources():
            return plain(await client.list_resources())["resources"]

        async def templates():
            return plain(await client.list_resource_templates())["resourceTemplates"]

        async def ping():
            return plain(await client.send_ping())

        async def call(tool, arguments):
            progress = []

            async def on_progress(done, total, _message):
                progress.append([done, total])

            result = await client.call_tool(tool, arguments, progress_callback=on_progress)
            return {"result": plain(result), "progress": progress}

        async def cancel(tool, arguments):
            """Gives up at the first progress; the SDK then tells the server."""
            with anyio.CancelScope() as scope:

                async def on_progress(_done, _total, _message):
                    scope.cancel()

                await client.call_tool(tool, arguments, progress_callback=on_progress)
            return {"cancelled": scope.cancelled_caught}

        lists = {"list": tools, "prompts": prompts, "resources": resources, "templates": templates}
        await answer({"about": about, **lists, "ping": ping, "call": call, "cancel": cancel, "heard": heard.so_far})


anyio.run(lambda: main(**json.loads(sys.argv[1])))
