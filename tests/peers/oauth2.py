"""The stock `mcp` 2.x client, which gets its tokens itself.

usage: oauth2.py '{"url": URL, "issuer": URL, "flow": "code" | "credentials", "mode": "legacy" | "auto"}'
"""

import json
import sys
from urllib.parse import parse_qs, urljoin, urlparse

import anyio
import httpx2
from mcp.client import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from lines import Heard, answer, plain

CALLBACK = "http://127.0.0.1:9/callback"


class Storage:
    """What the client would keep between two starts."""

    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Native(OAuthClientMetadata):
    """A program on somebody's machine: it may be sent back to a loopback address."""

    application_type: str = "native"


class Browser:
    """Follows redirects and keeps cookies, until one leads to the callback."""

    async def visit(self, page):
        async with httpx2.AsyncClient(follow_redirects=False) as http:
            for _ in range(20):
                response = await http.get(page)
                page = urljoin(page, response.headers["location"])
                if page.startswith(CALLBACK):
                    self.answer = {name: value[0] for name, value in parse_qs(urlparse(page).query).items()}
                    return

    async def result(self):
        known = {name: self.answer.get(name) for name in AuthorizationCodeResult.model_fields}
        return AuthorizationCodeResult(**known)


def provider(url, issuer, flow, storage):
    if flow == "credentials":
        return ClientCredentialsOAuthProvider(url, storage, "machine", "secret-of-the-machine", issuer=issuer)
    browser = Browser()
    metadata = Native(
        client_name="oauth2",
        grant_types=["authorization_code"],
        redirect_uris=[CALLBACK],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(url, metadata, storage, browser.visit, browser.result)


async def main(url, issuer, flow, mode):
    heard, storage = Heard(), Storage()
    http = httpx2.AsyncClient(
        auth=provider(url, issuer, flow, storage),
        timeout=httpx2.Timeout(30, read=300),
        event_hooks={"response": [heard.response]},
    )
    async with http, Client(streamable_http_client(url, http_client=http), mode=mode) as client:

        async def tools():
            return plain(await client.list_tools())["tools"]

        async def call(tool, arguments):
            return {"result": plain(await client.call_tool(tool, arguments))}

        async def scope():
            return storage.tokens.scope

        await answer({"list": tools, "call": call, "heard": heard.so_far, "scope": scope})


anyio.run(lambda: main(**json.loads(sys.argv[1])))
