"""A server on stock FastMCP whose tools run as tasks of the extension for 2026-07-28.

usage: fast_tasks_server.py PORT
"""

import sys

import anyio
from fastmcp import Context, FastMCP
from fastmcp.utilities.tasks import TaskConfig
from fastmcp_tasks import TasksExtension
from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult

server = FastMCP("fast-tasks")
server.add_extension(TasksExtension())


@server.tool(task=TaskConfig(mode="required"))
async def crunch(text: str, seconds: float = 0.2) -> str:
    """Says the text back after a while, as a task only."""
    await anyio.sleep(seconds)
    return f"crunched {text}"


@server.tool(task=True)
async def maybe(text: str) -> str:
    """Says the text back after a while, as a task for who knows tasks."""
    await anyio.sleep(0.2)
    return f"maybe {text}"


@server.tool(task=TaskConfig(mode="required"))
async def broken() -> str:
    """Fails, as a task only."""
    raise RuntimeError("it is broken")


def question(key):
    params = ElicitRequestFormParams(message=f"{key}?", requested_schema={"type": "object", "properties": {}})
    return {key: ElicitRequest(params=params)}


# What the conformance suite asks of tasks that need their client.


@server.tool(task=TaskConfig(mode="required"))
async def confirm_delete(filename: str, context: Context) -> str | InputRequiredResult:
    """Asks once before it answers."""
    if not context.input_responses:
        return InputRequiredResult(input_requests=question("confirm"))
    return f"deleted {filename}"


@server.tool(task=TaskConfig(mode="required"))
async def multi_input(context: Context) -> str | InputRequiredResult:
    """Asks two things at once before it answers."""
    if not context.input_responses:
        return InputRequiredResult(input_requests=question("one") | question("two"))
    return "both"


server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
