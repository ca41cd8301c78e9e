"""What the Python clients have in common: a line of JSON in, a line of JSON out.

Started by tests/src/peer.rs. A line `{"do": NAME, ...}` calls the function of that name; the answer is
`{"ok": ...}`, or `{"error": {"code", "message", "data"}}` with what the stock client raised. The end of
standard input ends the client.
"""

import json
import sys

import anyio


async def answer(functions):
    say({"ok": "connected"})
    async for line in anyio.wrap_file(sys.stdin):
        order = json.loads(line)
        try:
            say({"ok": await functions[order.pop("do")](**order)})
        except Exception as raised:
            say({"error": described(raised)})


def say(line):
    print(json.dumps(line), flush=True)


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def described(raised):
    error = getattr(raised, "error", None)
    if error is None:
        return {"code": None, "message": f"{type(raised).__name__}: {raised}", "data": None}
    return {"code": error.code, "message": error.message, "data": error.data}


class Heard:
    """What the client heard without asking."""

    def __init__(self):
        self.list_changed = 0
        self.asked = []
        self.sessions = set()
        self.answers = {}

    async def response(self, response):
        """A hook of the HTTP client: which answers came, and under which session."""
        session = response.headers.get("mcp-session-id")
        if session:
            self.sessions.add(session)
        kind = response.headers.get("content-type", "").split(";")[0]
        key = f"{response.request.method} {response.status_code} {kind}".strip()
        self.answers[key] = self.answers.get(key, 0) + 1

    async def so_far(self):
        return {
            "listChanged": self.list_changed,
            "asked": self.asked,
            "sessions": sorted(self.sessions),
            "answers": self.answers,
        }
