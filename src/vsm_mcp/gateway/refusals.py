"""Requests that HTTP itself turns away, before or instead of JSON-RPC."""

from __future__ import annotations

from typing import ClassVar, Final

from vsm_mcp.errors import VsmError
from vsm_mcp.gateway import asgi, messages
from vsm_mcp.gateway.asgi import Headers, Send
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.wire import era

RETRY: Final = (b"retry-after", b"1")
LOWEST_RETRYABLE: Final = 500


class Refusal(VsmError):
    """A request is answered with an HTTP status of 4xx or 5xx; the body says why, as a JSON-RPC error."""

    code: ClassVar[str] = "refusal"

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes], ident: bytes = messages.NO_ID) -> None:
        super().__init__(message)
        self.status = status
        self.headers: Headers = headers
        self.ident = ident


async def refuse(send: Send, refusal: Refusal) -> None:
    """Send a refusal."""
    code = era.INTERNAL_ERROR if refusal.status >= LOWEST_RETRYABLE else era.INVALID_REQUEST
    body = messages.fault(refusal.ident, Fault(code, refusal.message))
    await asgi.respond(send, refusal.status, body, refusal.headers)


def overloaded(what: str, *headers: tuple[bytes, bytes]) -> Refusal:
    """Return the refusal of one request too many (RFC 9110, section 15.6.4: 503 with Retry-After)."""
    return Refusal(503, f"{what}; try again in a second", RETRY, *headers)
