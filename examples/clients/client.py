"""A client of a route, on the Python SDK 2: pip install mcp

usage: [MCP_TOKEN=TOKEN] python3 client.py URL TOOL 'ARGUMENTS'
"""

import json
import os
import sys

import anyio
import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url, tool, given):
    token = os.environ.get("MCP_TOKEN")  # for a route with `auth`
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    http = httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=300))

    async with http, Client(streamable_http_client(url, http_client=http)) as client:
        result = await client.call_tool(tool, json.loads(given))
        job = (result.meta or {}).get("dev.asyncmcp/job")
        if job:
            print(f"accepted: the result comes by webhook, as {job['webhookId']}")
        else:
            print("\n".join(part.text for part in result.content))


anyio.run(main, *sys.argv[1:])
