"""A client of a route, on FastMCP: pip install fastmcp

usage: [MCP_TOKEN=TOKEN] python3 fastmcp_client.py URL TOOL 'ARGUMENTS'
"""

import asyncio
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


async def main(url, tool, given):
    token = os.environ.get("MCP_TOKEN")  # for a route with `auth`
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async with Client(StreamableHttpTransport(url, headers=headers)) as client:
        result = await client.call_tool_mcp(tool, json.loads(given))
        job = (result.meta or {}).get("dev.asyncmcp/job")
        if job:
            print(f"accepted: the result comes by webhook, as {job['webhookId']}")
        else:
            print("\n".join(part.text for part in result.content))


asyncio.run(main(*sys.argv[1:]))
