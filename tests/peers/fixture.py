"""What the conformance suite asks of a server, in both eras, on the stock `mcp` 2.x SDK.

What asks its client in rounds is in rounds.py.

usage: fixture.py PORT
"""

import json
import sys
from typing import Annotated

import anyio
from mcp.server.mcpserver import Context, MCPServer, RequestStateSecurity
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    Completion,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

import rounds

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="

server = MCPServer(
    "fixture", version="1", request_state_security=RequestStateSecurity(keys=[b"thirty-two bytes that seal state"])
)


def text(said):
    return TextContent(type="text", text=said)


def image():
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri, mime_type, said):
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=said)
    )


# Tools that answer at once.


@server.tool()
def test_simple_text() -> str:
    """Answers a text."""
    return "This is a simple text response for testing."


@server.tool()
def test_image_content() -> list[ImageContent]:
    """Answers an image."""
    return [image()]


@server.tool()
def test_audio_content() -> list[AudioContent]:
    """Answers a sound."""
    return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


@server.tool()
def test_embedded_resource() -> list[EmbeddedResource]:
    """Answers a resource."""
    return [embedded("test://embedded-resource", "text/plain", "An embedded resource.")]


@server.tool()
def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Answers a text, an image and a resource."""
    data = '{"test":"data","value":123}'
    return [text("Three kinds:"), image(), embedded("test://mixed-content-resource", "application/json", data)]


@server.tool()
def test_error_handling() -> str:
    """Fails."""
    raise RuntimeError("This tool intentionally returns an error for testing")


@server.tool()
def test_header(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "none") -> str:
    """Has an argument that is a header, too."""
    return f"region={region}"


@server.tool()
def json_schema_2020_12_tool() -> str:
    """Has a schema with what JSON Schema 2020-12 can say."""
    return "valid"


# The SDK derives every schema from the function; this one has no public way in.
server._tool_manager._tools["json_schema_2020_12_tool"].parameters = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@server.tool()
def greet(name: str) -> str:
    """Answers at once, to clients of tasks, too."""
    return f"Hello, {name}!"


@server.tool()
async def slow_compute(seconds: float = 0, label: str = "") -> str:
    """Answers after a while."""
    await anyio.sleep(seconds)
    return f"computed {label}"


# Tools that say something on the way.


@server.tool()
async def test_tool_with_logging(context: Context) -> str:
    """Logs three times."""
    for step in ["started", "in the middle", "ended"]:
        await context.info(f"Tool execution {step}")
        await anyio.sleep(0.02)
    return "logged"


@server.tool()
async def test_logging_tool(context: Context) -> str:
    """Logs, which a modern client must have asked for."""
    await context.info("logged")
    return "logged"


@server.tool()
async def test_tool_with_progress(context: Context) -> str:
    """Reports progress three times."""
    for done in [0, 50, 100]:
        await context.report_progress(done, 100)
        await anyio.sleep(0.02)
    return "done"


@server.tool()
async def test_reconnection(context: Context) -> str:
    """Closes the connection before it answers; the answer is for who comes back."""
    await context.close_sse_stream()
    await anyio.sleep(0.2)
    return "reconnected"


# Tools that ask a legacy client.


@server.tool()
async def test_sampling(prompt: str, context: Context) -> str:
    """Lets the client's model answer."""
    asked = [SamplingMessage(role="user", content=text(prompt))]
    sampled = await context.session.create_message(
        messages=asked, max_tokens=100, related_request_id=context.request_id
    )
    return f"LLM response: {sampled.content.text}"


async def elicited(context, schema):
    answer = await context.elicit("Please fill this in", schema)
    content = answer.data.model_dump() if answer.action == "accept" else None
    return f"action={answer.action}, content={json.dumps(content)}"


class Person(BaseModel):
    username: str
    email: str


@server.tool()
async def test_elicitation(message: str, context: Context) -> str:
    """Asks the user for a name and an address."""
    return await elicited(context, Person)


def choice(**schema):
    return Field(json_schema_extra=schema)


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field(default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = True


@server.tool()
async def test_elicitation_sep1034_defaults(context: Context) -> str:
    """Asks with a default for each type."""
    return await elicited(context, Defaults)


OPTIONS = ["option1", "option2", "option3"]


def titled(word):
    return [{"const": f"value{n}", "title": f"{word} {n}"} for n in [1, 2, 3]]


class Enums(BaseModel):
    untitledSingle: str = choice(enum=OPTIONS)
    titledSingle: str = choice(oneOf=titled("Option"))
    legacyEnum: str = choice(enum=["opt1", "opt2", "opt3"], enumNames=["One", "Two", "Three"])
    untitledMulti: list[str] = choice(items={"type": "string", "enum": OPTIONS})
    titledMulti: list[str] = choice(items={"anyOf": titled("Choice")})


@server.tool()
async def test_elicitation_sep1330_enums(context: Context) -> str:
    """Asks with each kind of choice."""
    return await elicited(context, Enums)


# Tools of the modern era.


@server.tool()
async def test_missing_capability(context: Context) -> str:
    """Wants a client that declares sampling."""
    capabilities = context.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="this tool needs the client's capability sampling",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return "declared"


@server.tool()
async def test_trigger_tool_change(context: Context) -> str:
    """Adds a tool and takes it away, and says so to who listens."""
    server.add_tool(test_simple_text, name="test_dynamic_tool")
    server.remove_tool("test_dynamic_tool")
    await context.notify_tools_changed()
    return "changed"


@server.tool()
async def test_trigger_prompt_change(context: Context) -> str:
    """Adds a prompt and takes it away, and says so to who listens."""
    server.add_prompt(Prompt.from_function(test_simple_prompt, name="test_dynamic_prompt"))
    server.remove_prompt("test_dynamic_prompt")
    await context.notify_prompts_changed()
    return "changed"


# Resources and prompts.


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """Bytes."""
    return b"\x89PNG\r\n\x1a\n"


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """A text to subscribe to."""
    return "watched"


@server.resource("test://template/{id}/data", mime_type="application/json")
def templated(id: str) -> str:
    """A text for each id."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@server.prompt()
def test_simple_prompt() -> list[UserMessage]:
    """A text."""
    return [UserMessage(content=text("This is a simple prompt for testing."))]


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """A text with two words of the client's."""
    return [UserMessage(content=text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
    """A resource of the client's choice, and a text."""
    resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [UserMessage(content=resource), UserMessage(content=text("Please process the resource above."))]


@server.prompt()
def test_prompt_with_image() -> list[UserMessage]:
    """An image, and a text."""
    return [UserMessage(content=image()), UserMessage(content=text("Please analyze the image above."))]


@server.completion()
async def complete(ref, argument, context):
    values = [name for name in ["Paris", "Park"] if name.lower().startswith(argument.value.lower())]
    return Completion(values=values, total=len(values), has_more=False)


async def acknowledge(_context, _params):
    return EmptyResult()


# MCPServer has no functions for what the modern era dropped; the server below it does.
for method, params in [
    ("logging/setLevel", SetLevelRequestParams),
    ("resources/subscribe", SubscribeRequestParams),
    ("resources/unsubscribe", UnsubscribeRequestParams),
]:
    server._lowlevel_server.add_request_handler(method, params, acknowledge)

rounds.offer(server)


class Events(EventStore):
    """The events of all streams, so that a client can come back for what it missed."""

    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send_callback):
        last = int(last_event_id)
        stream, _ = self.events[last - 1]
        for number, (of, message) in enumerate(self.events[last:], last + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


server.run(
    "streamable-http", host="127.0.0.1", port=int(sys.argv[1]), event_store=Events(), retry_interval=100
)
