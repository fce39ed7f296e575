"""``call_tool``: another tool's call, by the very way that a direct call takes."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from vsm_mcp.errors import BadArgument
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.meta.tool import Onward, arguments, refused


class _Arguments(msgspec.Struct):
    name: str
    arguments: Raw = Raw(b"{}")


class CallTool:
    """Answers ``call_tool``.

    Name and arguments take the place of its own in the request; all the rest of it stays (``_meta``, and what a client
    sends when it calls again with the input that a server asked for), and so does the result, byte for byte. Header
    rules (``x-mcp-header``) bind who was given a tool's definition in a list: a client that calls ``call_tool`` was
    given none, so there is no header to compare. On the way to the server they are written from the arguments.
    """

    async def answer(self, request: Request, caller: Caller, onward: Onward) -> bytes | Raw:
        """Return the result of the tool that is named; raises :class:`Fault` as a direct call does."""
        try:
            inner = arguments(request, _Arguments)
            if inner.name in definitions.NAMES:
                raise BadArgument(f"call {inner.name} itself, not through {definitions.CALL}")
            if bytes(memoryview(inner.arguments)[:1]) != b"{":
                raise BadArgument("arguments has to be an object with the tool's arguments, not a string or a list")
        except BadArgument as error:
            return refused(definitions.CALL, error, caller)
        params = {**request.params, "name": Raw(encode(inner.name)), "arguments": inner.arguments}
        return await onward(Request(request.id, request.method, params, request.meta), caller)
