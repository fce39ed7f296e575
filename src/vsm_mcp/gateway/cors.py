"""What a browser has to hear before it lets a page of another origin talk to us (Fetch standard, "CORS protocol").

Only pages of ``[gateway] allowed_origins`` hear it. Loopback pages may send what a browser sends without asking, and
read nothing: whoever runs such a page and wants more names it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vsm_mcp.gateway.asgi import Headers

_ASKED: Final = b"access-control-request-method"
_EXPOSED: Final = b"Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After"
_METHODS: Final = (b"access-control-allow-methods", b"GET, POST, DELETE")
_HEADERS: Final = b"access-control-request-headers"
_SECONDS: Final = (b"access-control-max-age", b"600")


def is_preflight(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a browser asks if a page may make a request."""
    return method == "OPTIONS" and b"origin" in headers and _ASKED in headers


def preflight(headers: Mapping[bytes, bytes]) -> Headers:
    """Return the fields that let a page make its request, with the header fields that it names."""
    return (_METHODS, (b"access-control-allow-headers", headers.get(_HEADERS, b"")), _SECONDS)


def shared(origin: bytes) -> Headers:
    """Return the fields that let a page of ``origin`` read an answer."""
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSED),
        (b"vary", b"Origin"),
    )
