"""How servers that run elsewhere are reached, by the scheme of their URL: what ``transports`` has built in."""

from __future__ import annotations

from collections.abc import Sequence

from vsm_mcp.errors import BadArgument
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.http_sse import HttpSseTransport
from vsm_mcp.wire.tcp import TcpTransport
from vsm_mcp.wire.transport import Target, Transport
from vsm_mcp.wire.websocket import WebSocketTransport


def http(target: Target) -> Sequence[Transport]:
    """Return the ways to an ``http(s)`` URL: streamable HTTP, and HTTP+SSE where a server knows nothing newer.

    Specification 2026-07-28, "Transports: Streamable HTTP: Backwards Compatibility".
    """
    streamable = HttpTransport(
        target.url,
        headers=target.headers,
        max_message=target.max_message,
        context=target.context,
        authorizer=target.authorizer,
        sockets=target.sockets,
    )
    return streamable, HttpSseTransport(target)


def websocket(target: Target) -> Sequence[Transport]:
    """Return the way to a ``ws(s)`` URL."""
    return (WebSocketTransport(target),)


def tcp(target: Target) -> Sequence[Transport]:
    """Return the way to a ``tcp`` URL. Raises :class:`BadArgument` for headers, of which TCP has none."""
    if target.headers:
        raise BadArgument(
            f"a server over tcp:// takes no {min(target.headers)}: there are no headers to put it in",
            "leave out --env and --secret, or reach the server over http(s):// or ws(s)://",
        )
    return (TcpTransport(target),)
