"""The client that ``conformance client`` starts: our side of a connection, driven through everything a server offers.

The suite appends the server's URL to the command, and says in the environment which scenario this is
(``MCP_CONFORMANCE_SCENARIO``), which calls it wants (``MCP_CONFORMANCE_CONTEXT``, JSON with ``toolCalls``) and which
version it serves (``MCP_CONFORMANCE_PROTOCOL_VERSION``; not needed here: the version is negotiated).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from msgspec import Raw, json

from vsm_mcp.authorization.authorizer import Client, OAuth
from vsm_mcp.errors import HttpRefused, RpcError
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.wire import era
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.dialogue import Question
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.negotiate import connect

SECONDS: Final = 10.0
ROUNDS: Final = 8
SAMPLES: Final = {"string": "text", "integer": 7, "number": 2.5, "boolean": True, "array": [], "object": {}}

ABOUT_US: Final = "https://conformance-test.local/client-metadata.json"
"""Where the suite says that we describe ourselves (a Client ID Metadata Document)."""

Call = tuple[str, dict[str, Any]]


class User:
    """Whoever is asked in the middle of a call before 2026-07-28: a :class:`vsm_mcp.wire.dialogue.Dialogue`."""

    client = "user"
    capabilities: Mapping[str, object] = era.CLIENT_CAPABILITIES
    log_level = ""
    wants_progress = False

    def notified(self, method: str, params: Raw) -> None:
        """Nothing follows from it."""

    def asked(self, question: Question) -> None:
        params = {} if question.params is None else json.decode(question.params)
        question.answer(json.encode(respond(question.method, params)))


class Headless:
    """A person who agrees to everything and needs no browser: the suite's authorization servers redirect at once."""

    redirect_uri = "http://localhost:3030/callback"

    async def consent(self, url: str) -> Mapping[str, str]:
        import httpx2  # not for every scenario; the SDK has loaded it

        async with httpx2.AsyncClient() as client:
            answer = await client.get(url)
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


class Memory:
    """Secrets for the length of a run."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, str]] = {}

    def of(self, acquisition: str, /) -> dict[str, str]:
        return self._values.get(acquisition, {})

    def put(self, acquisition: str, values: Mapping[str, str], /) -> None:
        self._values[acquisition] = dict(values)


async def main() -> None:
    """Connect, see what is offered, use all of it at once."""
    connection = await connect(transport(sys.argv[-1]), timeout=3 * SECONDS)
    try:
        offer = await connection.offer(SECONDS)
        await asyncio.gather(*(ask(connection, method, params) for method, params in calls(offer)))
    finally:
        await connection.close()


def transport(url: str) -> HttpTransport:
    """Return the way to the server; it may want authorization, in scenarios of ``auth/…`` that is."""
    context = json.decode(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    client = Client(id=context.get("client_id", ABOUT_US), secret=context.get("client_secret", ""))
    return HttpTransport(url, authorizer=OAuth(url, Memory(), client=client, person=Headless()))


def calls(offer: Offer) -> Iterator[Call]:
    """Yield (method, params): what the scenario wants called, else whatever there is."""
    tools = {item.name: json.decode(item.raw)["inputSchema"] for item in offer.of(ItemKind.TOOL)}
    wanted = json.decode(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}")).get("toolCalls")
    if wanted is None and os.environ.get("MCP_CONFORMANCE_SCENARIO") == "json-schema-2020-12-preservation":
        wanted = [{"name": "json_schema_echo", "arguments": {"schema": tools["json_schema_2020_12_tool"]}}]
    if wanted is None:
        wanted = [{"name": name, "arguments": sample(schema)} for name, schema in tools.items()]
    yield from (("tools/call", call) for call in wanted)
    yield from (("resources/read", {"uri": item.name}) for item in offer.of(ItemKind.RESOURCE))
    yield from (("prompts/get", {"name": item.name}) for item in offer.of(ItemKind.PROMPT))


async def ask(connection: Connection, method: str, given: dict[str, Any]) -> None:
    """Ask, and answer what the server asks back (specification 2026-07-28, "Multi Round-Trip Requests")."""
    params = given
    for _ in range(ROUNDS):
        try:
            raw = await connection.request(method, params, timeout=SECONDS, dialogue=User())
            result = json.decode(raw)
        except RpcError as error:
            print(f"{method} {given}: {error.message}", file=sys.stderr)  # noqa: T201
            return
        if result.get("resultType") != "input_required":
            return
        answers = {key: respond(**question) for key, question in result.get("inputRequests", {}).items()}
        state = {"requestState": result["requestState"]} if "requestState" in result else {}
        params = {**given, "inputResponses": answers, **state}
    raise SystemExit(f"{method} asked back more than {ROUNDS} times")


def respond(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Answer a question of the server as an obliging user, model or host would."""
    if method == "elicitation/create":
        return {"action": "accept", "content": sample(params["requestedSchema"])}
    if method == "sampling/createMessage":
        return {"role": "assistant", "model": "none", "content": {"type": "text", "text": "text"}}
    return {"roots": []}


def sample(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a value for each property: its default, or anything of its type."""
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    return {name: part.get("default", SAMPLES.get(part.get("type", ""), "")) for name, part in properties.items()}


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except HttpRefused as error:  # what some scenarios of authorization are about
        raise SystemExit(error.message) from None
