"""What the trial asks of a running server: each probe is one question, its answer a verdict in words.

A probe never asks a tool to do its work: names and parameters are ones that no tool can accept.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from vsm_mcp.errors import RequestTimeout, RpcError, TransportError, VsmError
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.trial import Probe
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.vetting import pins, schemas
from vsm_mcp.wire.connection import Connection

PASS, WARN, FAIL, SKIPPED = "pass", "warn", "fail", "skipped"
ANSWER_SECONDS: Final = 5.0
SCHEMA_SECONDS: Final = 1.5
MALFORMED: Final = b'{"jsonrpc": "2.0", "id": 1, "method":\n'
_NO_METHOD: Final = "vsm-mcp/no-such-method"
_NO_TOOL: Final = "vsm_mcp_no_such_tool"
_METHOD_NOT_FOUND: Final = -32601

Answer = tuple[str, str]
"""A verdict and its detail."""


async def probe(name: str, ask: Callable[[], Awaitable[Answer]]) -> Probe:
    """Ask one question. A server that dies of it is a warning: none is one that the gateway would pass on."""
    begun = time.monotonic()
    try:
        verdict, detail = await ask()
    except TransportError as error:
        verdict, detail = WARN, f"it dies of this: {error.message}"
    except VsmError as error:
        verdict, detail = WARN, error.message
    return Probe(name=name, verdict=verdict, seconds=round(time.monotonic() - begun, 4), detail=detail[:500])


def offered(offer: Offer) -> Answer:
    """Whether the server offers anything at all, and under names that tell the items apart."""
    counts = {kind: len(offer.of(kind)) for kind in ItemKind if kind is not ItemKind.INSTRUCTIONS}
    said = ", ".join(f"{count} {kind.value}{'s' if count != 1 else ''}" for kind, count in counts.items() if count)
    if not said:
        return FAIL, "it offers no tools, resources or prompts"
    twice = schemas.duplicates(offer)
    if twice:
        return WARN, f"{said}; tools of the same name: {', '.join(map(ascii, twice[:5]))}"
    return PASS, said


def schemas_valid(offer: Offer) -> Answer:
    """Whether every tool's schemas are JSON Schema; one that is not makes its tool unusable, not the server."""
    report = schemas.check_schemas(offer, budget_seconds=SCHEMA_SECONDS)
    if not report.total:
        return SKIPPED, "no tools"
    looked = f"{report.checked} of {report.total} tools looked at"
    if report.wrong:
        tool, problem = report.wrong[0]
        return WARN, f"{len(report.wrong)} problems; {tool!a}: {problem} ({looked})"
    return PASS, looked


async def unknown_method(connection: Connection, _offer: Offer) -> Answer:
    """JSON-RPC 2.0, section 5.1: a method that does not exist is answered with -32601."""
    return await _refused(connection, _NO_METHOD, {}, "an unknown method", _METHOD_NOT_FOUND)


async def unknown_tool(connection: Connection, offer: Offer) -> Answer:
    """Specification, "Tools: Error handling": a protocol error, or a result with ``isError``."""
    if not offer.of(ItemKind.TOOL):
        return SKIPPED, "no tools"
    return await _refused(connection, "tools/call", {"name": _NO_TOOL, "arguments": {}}, "an unknown tool")


async def wants_initialize(connection: Connection, offer: Offer) -> bool:
    """Whether a modern connection is refused calls because nobody said ``initialize`` (seen with half-done servers)."""
    if connection.era != "modern" or not offer.of(ItemKind.TOOL):
        return False
    try:
        await connection.request("tools/call", {"name": _NO_TOOL, "arguments": {}}, timeout=ANSWER_SECONDS)
    except RpcError as error:
        return "initializ" in error.message.lower()
    except VsmError:
        return False
    return False


async def wrong_parameters(connection: Connection, offer: Offer) -> Answer:
    """Parameters of the wrong shape are answered with an error; they reach no tool."""
    for kind, method in (
        (ItemKind.TOOL, "tools/call"),
        (ItemKind.PROMPT, "prompts/get"),
        (ItemKind.RESOURCE, "resources/read"),
    ):
        if offer.of(kind):
            return await _refused(connection, method, {"name": 4711, "uri": 4711}, "wrong parameters")
    return SKIPPED, "nothing to call"


QUESTIONS: Final = (
    ("unknown method", unknown_method),
    ("unknown tool", unknown_tool),
    ("wrong parameters", wrong_parameters),
)


async def _refused(
    connection: Connection, method: str, params: dict[str, object], what: str, expected: int | None = None
) -> Answer:
    try:
        raw = await connection.request(method, params, timeout=ANSWER_SECONDS)
    except RpcError as error:
        if expected is not None and error.rpc_code != expected:
            return PASS, f"refused with {error.rpc_code} ({expected} is the usual code)"
        return PASS, f"refused with {error.rpc_code}"
    except RequestTimeout:
        return WARN, f"it does not answer {what} within {ANSWER_SECONDS:g} s"
    if _is_error(raw):
        return PASS, "refused with an error result"
    return WARN, f"it answers {what} as if nothing were wrong"


def _is_error(raw: msgspec.Raw) -> bool:
    try:
        value: Any = msgspec.json.decode(raw)
    except UNREADABLE:
        return False
    return isinstance(value, dict) and value.get("isError") is True


async def still_answers(connection: Connection) -> None:
    """Ask for a sign of life. Raises what :meth:`Connection.request` raises, but not for an error answer."""
    method = "server/discover" if connection.era == "modern" else "ping"
    try:
        await connection.request(method, timeout=ANSWER_SECONDS)
    except RpcError:
        return


async def malformed_line(connection: Connection, write: Callable[[bytes], Awaitable[None]]) -> Answer:
    """A line that is no JSON is survived; many servers die of it, which our own gateway never makes them do."""
    try:
        await write(MALFORMED)
        await still_answers(connection)
    except RequestTimeout:
        return WARN, "after a malformed line it answers nothing any more"
    except TransportError:
        return WARN, "it dies of a malformed line"
    return PASS, "survived"


def same_offer(before: Offer, after: Offer) -> Answer:
    """After a restart the same definitions are listed; what changes by itself cannot be approved once."""
    return same_pinned(before, after, "after a restart", ())


def same_pinned(before: Offer, after: Offer, when: str, unpinned: tuple[str, ...] = ("resource:",)) -> Answer:
    """Whether the same definitions are listed, but for those whose keys begin with one of ``unpinned``."""
    try:
        comparison = pins.compare(pins.pins_of(before), after)
    except VsmError as error:
        return WARN, error.message
    found = (("changed", comparison.changed), ("new", comparison.new), ("gone", comparison.missing))
    told = [(word, [key for key in keys if not key.startswith(unpinned)]) for word, keys in found]
    parts = [f"{len(keys)} {word} ({keys[0]!a})" for word, keys in told if keys]
    return (WARN, f"{when} its list differs: {', '.join(parts)}") if parts else (PASS, "the same definitions")
