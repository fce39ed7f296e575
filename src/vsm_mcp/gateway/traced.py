"""The trace context of an HTTP request, taken for that of the message it carries, where the message has none.

MCP carries it in ``params._meta`` (SEP-414: ``traceparent``, ``tracestate``, ``baggage``), and passes from there to the
server whatever it holds. Many HTTP clients send the fields of W3C Trace Context alone: these become members of
``_meta``. Baggage is not taken from HTTP: who puts it there means it for us, not for a server of somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.said import Said
from vsm_mcp.model import trace_context

TRACE: Final = b"traceparent"
_STATE: Final = b"tracestate"


def carry(request: Request, headers: Mapping[bytes, bytes]) -> None:
    """Give a request the trace context of the HTTP request it came with, unless it has one of its own."""
    given = headers.get(TRACE)
    if given is None or (request.meta is not None and "traceparent" in request.meta):
        return
    text = given.decode("latin-1")
    if trace_context.read(text) is None:
        return
    added = {"traceparent": Raw(encode(text))}
    state = headers.get(_STATE, b"").decode("latin-1")
    if state and trace_context.is_state(state):
        added["tracestate"] = Raw(encode(state))
    request.said = Said({**(request.meta or {}), **added})
