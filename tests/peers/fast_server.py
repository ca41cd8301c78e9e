"""A server on stock FastMCP.

usage: fast_server.py PORT
"""

import sys

import anyio
from fastmcp import Context, FastMCP

server = FastMCP("fast")


@server.tool
async def quick(text: str, context: Context) -> str:
    """Says the text back, in two steps."""
    await context.report_progress(1, 2)
    await context.report_progress(2, 2)
    return f"quick {text}"


@server.tool
async def slow(text: str) -> str:
    """Says the text back after a while."""
    await anyio.sleep(0.2)
    return f"slow {text}"


server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
