"""A server on the stock `mcp` 2.x SDK.

usage: server.py PORT
"""

import sys

import anyio
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("stock", instructions="`quick` answers at once, `slow` takes its time.")


@server.tool()
async def quick(text: str, context: Context) -> str:
    """Says the text back, in two steps."""
    await context.report_progress(1, 2)
    await context.report_progress(2, 2)
    return f"quick {text}"


@server.tool()
async def slow(text: str, seconds: float = 0.2) -> str:
    """Says the text back after a while; says in the log when it is cancelled."""
    try:
        print(f"begun slow {text}", flush=True)
        await anyio.sleep(seconds)
    except anyio.get_cancelled_exc_class():
        print(f"cancelled slow {text}", flush=True)
        raise
    return f"slow {text}"


@server.tool()
async def wait(name: str, context: Context) -> str:
    """Waits until it is cancelled, and says so in the log."""
    try:
        await context.report_progress(1, 2)
        await anyio.sleep_forever()
    finally:
        print(f"cancelled wait {name}", flush=True)


server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
