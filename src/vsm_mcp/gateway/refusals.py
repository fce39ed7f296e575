"""Requests that HTTP itself turns away, before or instead of JSON-RPC."""

from __future__ import annotations

import math
from typing import ClassVar, Final

from vsm_mcp.errors import VsmError
from vsm_mcp.gateway import asgi, messages
from vsm_mcp.gateway.asgi import Headers, Send
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.wire import era

RETRY: Final = (b"retry-after", b"1")
TOO_MANY: Final = 429


class Refusal(VsmError):
    """A request is answered with an HTTP status of 4xx or 5xx; the body says why, as a JSON-RPC error.

    ``data`` is what the error holds besides its message, as raw JSON.
    """

    code: ClassVar[str] = "refusal"

    def __init__(
        self,
        status: int,
        message: str,
        *headers: tuple[bytes, bytes],
        ident: bytes = messages.NO_ID,
        data: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers: Headers = headers
        self.ident = ident
        self.data = data


async def refuse(send: Send, refusal: Refusal) -> None:
    """Send a refusal."""
    code = era.INTERNAL_ERROR if refusal.status >= TOO_MANY else era.INVALID_REQUEST
    body = messages.fault(refusal.ident, Fault(code, refusal.message, refusal.data))
    await asgi.respond(send, refusal.status, body, refusal.headers)


def overloaded(what: str, *headers: tuple[bytes, bytes]) -> Refusal:
    """Return the refusal of one request too many (RFC 9110, section 15.6.4: 503 with Retry-After)."""
    return Refusal(503, f"{what}; try again in a second", RETRY, *headers)


def too_many(what: str, seconds: float, *headers: tuple[bytes, bytes]) -> Refusal:
    """Return the refusal of somebody who asks too much (RFC 6585, section 4: 429), good again in ``seconds``."""
    wait = max(1, math.ceil(seconds))
    data = {"class": "quota", "retryable": True, "seconds": wait, "hint": f"wait {wait} s, then try again"}
    retry = (b"retry-after", b"%d" % wait)
    return Refusal(TOO_MANY, f"{what}: wait {wait} s", retry, *headers, data=messages.encode(data))
