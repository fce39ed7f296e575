"""Looks at calls for the log and for traces; in the daemon only, and only where one of both is wanted."""

from __future__ import annotations

from time import monotonic

from vsm_mcp.app.calllog import CallLog
from vsm_mcp.app.tracing import Leg, Tracer
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.observing import Watch
from vsm_mcp.model import trace_context
from vsm_mcp.model.ending import Ending, ending_of
from vsm_mcp.routing.table import Route


class Observing:
    """The gateway's observer, for a tracer, a log of calls, or both."""

    def __init__(self, tracer: Tracer | None, log: CallLog | None) -> None:
        self._tracer = tracer
        self._log = log

    def begun(self, asked: Asked) -> Watch | None:
        """Begin a span, if the call is traced, and hand its context on to the server."""
        leg = None
        if self._tracer is not None:
            leg = self._tracer.begin(asked.route, asked.request, asked.caller, asked.since)
            if leg is not None:
                asked.params = {**asked.params, "_meta": leg.onto(asked.params.get("_meta"))}
        if self._log is None:
            return leg
        trace = leg.context.trace if leg is not None else _trace_of(asked.request)
        return _Logged(self._log, leg, _names(asked.route, asked.request, asked.caller, trace), asked.since)

    def unreached(self, route: Route, request: Request, caller: Caller, since: float, error: BaseException) -> None:
        """Tell of a call whose server could not be reached."""
        leg = self._tracer.begin(route, request, caller, since) if self._tracer is not None else None
        trace = leg.context.trace if leg is not None else _trace_of(request)
        watch: Watch | None = leg
        if self._log is not None:
            watch = _Logged(self._log, leg, _names(route, request, caller, trace), since)
        if watch is not None:
            watch.ended(ending_of(error), error)


class _Logged:
    """A call that is logged, and traced if it has a ``leg``."""

    def __init__(self, log: CallLog, leg: Leg | None, names: dict[str, str], since: float) -> None:
        self._log = log
        self._leg = leg
        self._names = names
        self._since = since

    def ended(self, ending: Ending, error: BaseException | None) -> None:
        """Write the line, and end the span."""
        self._log.ended(self._names, ending, monotonic() - self._since)
        if self._leg is not None:
            self._leg.ended(ending, error)


def _names(route: Route, request: Request, caller: Caller, trace: str) -> dict[str, str]:
    tool = route.name if request.method == "tools/call" else ""
    client = caller.principal.name
    return {"server": route.server, "tool": tool, "method": request.method, "client": client, "trace": trace}


def _trace_of(request: Request) -> str:
    found = trace_context.of_meta(request.meta)
    return "" if found is None else found.trace
