"""The tasks client of stock FastMCP, which gets a handle of a task and drives it.

usage: fast_tasks.py '{"url": URL}'
"""

import json
import sys

import anyio
from fastmcp import Client
from fastmcp.exceptions import ToolError
from fastmcp_tasks import call_tool_task

from lines import answer, plain


async def main(url):
    async with Client(url, mode="2026-07-28") as client:

        async def task(tool, arguments, cancel=False):
            handle = await call_tool_task(client, tool, arguments)
            heard = [(await handle.status()).status]
            if cancel:
                await handle.cancel()
            heard.append((await handle.wait(timeout=120)).status)
            try:
                result = await handle.result()
                return {"heard": heard, "text": result.content[0].text, "isError": result.is_error}
            except ToolError as error:
                return {"heard": heard, "failed": str(error)}

        # Its ordinary call, in which it polls by itself.
        async def call(tool, arguments):
            return {"result": plain(await client.call_tool_mcp(tool, arguments)), "progress": []}

        await answer({"task": task, "call": call})


anyio.run(lambda: main(**json.loads(sys.argv[1])))
