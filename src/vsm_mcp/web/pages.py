"""What other programs read: ``GET /metrics`` and ``GET /v1/events``, over HTTP and on the control socket.

An ASGI application. Who may come in is decided before: on the control socket whoever can open it; at the endpoint by
its rules (:mod:`vsm_mcp.gateway.http`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

from vsm_mcp.config import Config
from vsm_mcp.web import exposition
from vsm_mcp.web.control import Receive, Scope, Send, plain, until_gone
from vsm_mcp.web.families import Family
from vsm_mcp.web.stream import SILENCE_SECONDS, EventStream, Reader, Wanted, notice
from vsm_mcp.web.upgrade import TUNNEL, Tunnel

METRICS: Final = "/metrics"
EVENTS: Final = "/v1/events"
PATHS: Final = frozenset({METRICS, EVENTS})
_SSE: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class Pages:
    """Answers both. ``families`` measures anew each time; ``config`` gives the settings in force.

    ``always`` is for the control socket: its owner reads whatever the settings say about the endpoint.
    """

    def __init__(
        self,
        families: Callable[[], Iterable[Family]],
        stream: EventStream,
        config: Callable[[], Config],
        *,
        always: bool = False,
    ) -> None:
        self._families = families
        self._stream = stream
        self._config = config
        self._always = always

    def public(self, path: str) -> bool:
        """Whether a path is open to those who present no key."""
        return path == METRICS and self._config().telemetry.metrics_public

    def upgrades(self, path: str) -> bool:
        """Whether a path speaks WebSocket to those who offer it."""
        return path == EVENTS and self.serves(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        path = scope["path"]
        if not self.serves(path):
            return await plain(send, 404, b"not found\n")
        if scope["method"] not in {"GET", "HEAD"}:
            return await plain(send, 405, b"only GET is used here\n", (b"allow", b"GET"))
        if path == METRICS:
            return await self._metrics(scope, send)
        return await self._events(scope, receive, send)

    def serves(self, path: str) -> bool:
        """Whether there is anything at a path."""
        telemetry = self._config().telemetry
        return path in PATHS and (self._always or (telemetry.metrics if path == METRICS else telemetry.events))

    async def _metrics(self, scope: Scope, send: Send) -> None:
        fields = dict(scope["headers"])
        openly = exposition.wants_open(fields.get(b"accept", b"").decode("latin-1"))
        kind = exposition.OPEN if openly else exposition.PLAIN
        parts = []
        for part in exposition.written(self._families(), openly=openly):
            parts.append(part)
            await asyncio.sleep(0)  # with a thousand tools it takes a while: calls go on in between
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": b"".join(parts)})

    # --- events --------------------------------------------------------------------------------------------------

    async def _events(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._stream.full:
            return await plain(send, 503, b"too many follow the events\n", (b"retry-after", b"5"))
        reader = self._reader(scope)
        tunnel: Tunnel | None = scope.get(TUNNEL)
        try:
            if tunnel is not None:
                from vsm_mcp.web.websocket import follow  # noqa: PLC0415 - with wsproto, for the few who use it

                return await follow(tunnel, dict(scope["headers"]), self._stream, reader)
            if scope["method"] == "HEAD":
                await send({"type": "http.response.start", "status": 200, "headers": _SSE})
                return await send({"type": "http.response.body", "body": b""})
            return await self._sse(reader, receive, send)
        finally:
            self._stream.leave(reader)

    def _reader(self, scope: Scope) -> Reader:
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        fields = dict(scope["headers"])
        last = fields.get(b"last-event-id", b"").decode("latin-1") or "".join(query.get("last", [])[:1])
        wanted = Wanted(_several(query.get("types", [])), _several(query.get("server", [])))
        return self._stream.read(wanted, last, kept=_said(query, "kept"), follow=not _said(query, "once"))

    async def _sse(self, reader: Reader, receive: Receive, send: Send) -> None:
        async def put(data: bytes, *, last: bool = False) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": not last})

        await send({"type": "http.response.start", "status": 200, "headers": _SSE})
        await put(b"retry: 2000\n\n" + (_event(b"", notice(reader)) if reader.missed else b""))
        async with until_gone(receive, reader.end) as gone:
            while not gone.is_set():
                entries = await reader.take(SILENCE_SECONDS)
                if not entries and reader.over:
                    break
                parts = [_event(self._stream.ident(each).encode(), self._stream.document(each)) for each in entries]
                await put(b"".join(parts) or b": still here\n\n")
        await put(_event(b"", notice(reader)) if reader.dropped else b"", last=True)


def _event(ident: bytes, document: bytes) -> bytes:
    return (b"id: %b\n" % ident if ident else b"") + b"data: %b\n\n" % document


def _several(values: list[str]) -> frozenset[str]:
    return frozenset(part.strip() for value in values for part in value.split(",") if part.strip())


def _said(query: dict[str, Any], name: str) -> bool:
    return "".join(query.get(name, [])[:1]).lower() in {"1", "true", "yes"}
