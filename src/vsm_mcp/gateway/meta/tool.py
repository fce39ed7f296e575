"""What the answers of the gateway's own tools have in common: their arguments, and the form of a result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec
from msgspec import Raw

from vsm_mcp.errors import BadArgument
from vsm_mcp.gateway import results
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.model.unreadable import UNREADABLE

Onward = Callable[[Request, Caller], Awaitable[bytes | Raw]]
"""The way of a tool call."""

T = TypeVar("T", bound=msgspec.Struct)


class MetaTool(Protocol):
    """One of the gateway's own tools."""

    async def answer(self, request: Request, caller: Caller, onward: Onward) -> bytes | Raw:
        """Return the raw result of ``tools/call``; ``onward`` calls another tool. Raises :class:`Fault`."""
        ...


def arguments(request: Request, kind: type[T]) -> T:
    """Return the arguments of a call. Raises :class:`BadArgument`, whose message tells a model what is wrong."""
    try:
        return msgspec.json.decode(request.params.get("arguments", b"{}"), type=kind)
    except UNREADABLE as error:
        raise BadArgument(str(error)) from error


def result(text: str, structured: object, caller: Caller, *, is_error: bool = False) -> bytes:
    """Return a tool result: ``text`` for a model, ``structured`` (an object, or raw JSON of one) for programs."""
    content = encode([{"type": "text", "text": text}])
    return _result(b'"content":%b,"structuredContent":%b' % (content, encode(structured)), caller, is_error=is_error)


def refused(name: str, error: BadArgument, caller: Caller) -> bytes:
    """Return the result of a call whose arguments are wrong (specification, "Tools: Error Handling")."""
    content = encode([{"type": "text", "text": f"{name} was not called: {error.message}"}])
    return _result(b'"content":%b' % content, caller, is_error=True)


def _result(members: bytes, caller: Caller, *, is_error: bool) -> bytes:
    members += b',"isError":true' if is_error else b',"isError":false'
    return results.modern(members, cacheable=False) if caller.modern else b"{%b}" % members
