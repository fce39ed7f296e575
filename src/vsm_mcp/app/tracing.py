"""Spans: one for each call, from the agent's request to the server's answer, and its context on the way to the server.

Names and attributes are those of OpenTelemetry's semantic conventions for MCP (semantic-conventions-genai, "MCP",
status: development): a SERVER span ``{mcp.method.name} {gen_ai.tool.name}``, the child of the span that the caller
names in ``_meta.traceparent``. Its own context takes that place in what the server gets, so the server's spans are its
children. No argument and no result is ever in a span, and no text of an error.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from msgspec import Raw

from vsm_mcp.errors import RpcError
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request, text_or_none
from vsm_mcp.model import trace_context
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.trace_context import TraceContext
from vsm_mcp.routing.table import Route
from vsm_mcp.runtime.status import shortened
from vsm_mcp.web.spans import Span
from vsm_mcp.wire import envelope, era

_IDS: Final = 24
_TRACE_DIGITS: Final = 32
_LONGEST_ID: Final = 64
_ALL: Final = 1 << 64
_NO_ERROR: Final = frozenset({Ending.ANSWERED, Ending.GIVEN_UP})


class Tracer:
    """Decides which calls are traced, and makes their spans; ``record`` takes each that is over.

    A caller that has a trace has decided for its calls (OpenTelemetry's parent-based sampling); of other calls the part
    ``ratio`` is traced, by the number that the id of the new trace is (its trace-id-ratio sampling).
    """

    def __init__(self, record: Callable[[Span], None], ratio: float) -> None:
        self._record = record
        self.sample(ratio)

    def sample(self, ratio: float) -> None:
        """Trace another part of the calls from now on (0…1)."""
        self._bound = round(ratio * _ALL)

    def begin(self, route: Route, request: Request, caller: Caller, since: float) -> Leg | None:
        """Return the span of a call that was made at ``since`` (``time.monotonic``); ``None`` for one not traced."""
        parent = trace_context.of_meta(request.meta)
        if parent is not None and not parent.sampled:
            return None
        digits = os.urandom(_IDS).hex()
        trace = digits[:_TRACE_DIGITS] if parent is None else parent.trace
        if parent is None and int(trace[16:], 16) >= self._bound:
            return None
        context = TraceContext(trace, digits[_TRACE_DIGITS:], sampled=True)
        began = time.time_ns() - int(1e9 * (time.monotonic() - since))
        return Leg(self._record, context, parent, began, (route, request, caller))


class Leg:
    """The span of one call, from its begin to its end."""

    __slots__ = ("_about", "_began", "_parent", "_record", "context")

    def __init__(
        self,
        record: Callable[[Span], None],
        context: TraceContext,
        parent: TraceContext | None,
        began: int,
        about: tuple[Route, Request, Caller],
    ) -> None:
        self.context = context
        self._record = record
        self._parent = parent
        self._began = began
        self._about = about

    def onto(self, meta: object) -> dict[str, object]:
        """Return ``_meta`` for the server, with this span as the parent of what it does."""
        return {**envelope.opened(meta), trace_context.PARENT: trace_context.write(self.context)}

    def ended(self, ending: Ending, error: BaseException | None) -> None:
        """End the span."""
        route, request, caller = self._about
        attributes = _attributes(route, request, caller)
        attributes["vsm_mcp.ending"] = ending.name.lower()
        failed = ending not in _NO_ERROR
        if failed:
            attributes["error.type"] = ending.name.lower()
        if isinstance(error, RpcError):
            attributes["error.type"] = attributes["rpc.response.status_code"] = str(error.rpc_code)
        target = attributes.get("gen_ai.tool.name") or attributes.get("gen_ai.prompt.name")
        name = f"{request.method} {target}" if target else request.method
        self._record(Span(name, self.context, self._parent, self._began, time.time_ns(), attributes, failed))


def _attributes(route: Route, request: Request, caller: Caller) -> dict[str, str]:
    session = caller.session
    found: dict[str, str] = {
        "mcp.method.name": request.method,
        "mcp.protocol.version": era.MODERN if session is None else session.version,
        "jsonrpc.request.id": _ident(request.id),
        "vsm_mcp.server": route.server,
    }
    if request.method == "tools/call":
        found |= {"gen_ai.tool.name": route.name, "gen_ai.operation.name": "execute_tool"}
    elif request.method == "prompts/get":
        found["gen_ai.prompt.name"] = route.name
    if session is not None:  # who has the whole of it is its client
        found["mcp.session.id"] = shortened(session.ident)
    if route.origin:
        found["vsm_mcp.asked"] = route.origin
    return found


def _ident(raw: bytes) -> str:
    """Return the id of a request as text, whether it is a number or a string."""
    text = text_or_none(Raw(raw)) if raw[:1] == b'"' else raw.decode("ascii", "replace")
    return (text or "")[:_LONGEST_ID]
