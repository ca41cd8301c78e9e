"""Tools and a prompt of the modern era that need more from their client, and ask for it in rounds.

Used by fixture.py.
"""

import json

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)


def form(message, **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def name():
    return form("What is your name?", name={"type": "string"})


def confirmation():
    return form("Please confirm", ok={"type": "boolean"})


def sampling(prompt):
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def needs(state=None, **requests):
    return InputRequiredResult(input_requests=requests, request_state=state)


def answers(context, **kinds):
    """The answers under these names, if each is there and of its kind."""
    given = context.input_responses or {}
    if all(isinstance(given.get(name), kind) for name, kind in kinds.items()):
        return [given[name] for name in kinds]
    return None


async def test_input_required_result_elicitation(context: Context) -> str | InputRequiredResult:
    """Asks for a name."""
    if given := answers(context, user_name=ElicitResult):
        return f"Hello, {(given[0].content or {}).get('name')}!"
    return needs(user_name=name())


async def test_streaming_elicitation(context: Context) -> str | InputRequiredResult:
    """Reports progress, then asks."""
    await context.report_progress(1, 2)
    return await test_input_required_result_elicitation(context)


async def test_input_required_result_sampling(context: Context) -> str | InputRequiredResult:
    """Lets the client's model answer."""
    if given := answers(context, capital=CreateMessageResult):
        return f"Model said: {given[0].content.text}"
    return needs(capital=sampling("What is the capital of France?"))


async def test_input_required_result_list_roots(context: Context) -> str | InputRequiredResult:
    """Asks for the client's roots."""
    if given := answers(context, client_roots=ListRootsResult):
        return f"Roots: {[str(root.uri) for root in given[0].roots]}"
    return needs(client_roots=ListRootsRequest())


async def test_input_required_result_request_state(context: Context) -> str | InputRequiredResult:
    """Asks, and wants its state back."""
    if answers(context, confirm=ElicitResult) and context.request_state == "asked":
        return "state-ok: confirmed"
    return needs("asked", confirm=confirmation())


async def test_input_required_result_multiple_inputs(context: Context) -> str | InputRequiredResult:
    """Asks for three things at once."""
    if answers(context, user_name=ElicitResult, greeting=CreateMessageResult, client_roots=ListRootsResult):
        return "All inputs received."
    return needs("three", user_name=name(), greeting=sampling("Greet"), client_roots=ListRootsRequest())


async def test_input_required_result_multi_round(context: Context) -> str | InputRequiredResult:
    """Asks twice, one after the other."""
    state = json.loads(context.request_state or "{}")
    if state.get("round") == 1 and (given := answers(context, step1=ElicitResult)):
        said = (given[0].content or {}).get("name")
        color = form("Which color do you like?", color={"type": "string"})
        return needs(json.dumps({"round": 2, "name": said}), step2=color)
    if state.get("round") == 2 and (given := answers(context, step2=ElicitResult)):
        return f"{state['name']} likes {(given[0].content or {}).get('color')}."
    return needs(json.dumps({"round": 1}), step1=name())


async def test_input_required_result_tampered_state(context: Context) -> str | InputRequiredResult:
    """Asks; the SDK has sealed the state, and refuses what was changed."""
    if context.request_state == "sealed":
        return "state-ok"
    return needs("sealed", confirm=confirmation())


async def test_input_required_result_capabilities(context: Context) -> InputRequiredResult:
    """Asks for no more than the client declares."""
    declared = context.client_capabilities
    requests = {}
    if declared and declared.sampling is not None:
        requests["sample"] = sampling("Say hello")
    if declared and declared.elicitation is not None:
        requests["ask"] = name()
    return needs("asked", **requests)


async def test_input_required_result_prompt(context: Context) -> list[UserMessage] | InputRequiredResult:
    """A prompt that asks for its context."""
    if given := answers(context, user_context=ElicitResult):
        said = (given[0].content or {}).get("context")
        return [UserMessage(content=TextContent(type="text", text=f"Use this context: {said}"))]
    return needs(user_context=form("Which context?", context={"type": "string"}))


def offer(server):
    for tool in [
        test_input_required_result_elicitation,
        test_streaming_elicitation,
        test_input_required_result_sampling,
        test_input_required_result_list_roots,
        test_input_required_result_request_state,
        test_input_required_result_multiple_inputs,
        test_input_required_result_multi_round,
        test_input_required_result_tampered_state,
        test_input_required_result_capabilities,
    ]:
        server.tool()(tool)
    server.prompt()(test_input_required_result_prompt)
