"""The few words of ASGI that are spoken here (ASGI 3.0, HTTP connection scope)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

WHOLE: Final = "vsm_mcp.whole"
"""Our own extension of the scope: the body, where all of it was there at once. It is received as well."""

TURN: Final = "vsm_mcp.turn"
"""Our own extension of the scope: the :class:`~vsm_mcp.gateway.turn.Turn`, which can be written to without waiting."""

VISIT: Final = "vsm_mcp.visit"
"""Our own extension of the scope: where everybody is asked who they are, this request's
:class:`~vsm_mcp.gateway.visitors.Visit`."""

TUNNEL: Final = "vsm_mcp.tunnel"
"""Our own extension of the scope: the :class:`~vsm_mcp.gateway.tunnel.Tunnel`, where a client offers WebSocket and the
application takes such offers."""

JSON: Final = (b"content-type", b"application/json")
CLOSE: Final = (b"connection", b"close")


async def respond(send: Send, status: int, body: bytes = b"", headers: Headers = ()) -> None:
    """Send a whole answer; with a body it is JSON."""
    length = (b"content-length", b"%d" % len(body))
    fields = [JSON, length, *headers] if body else [length, *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def until_disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
