"""Answers as a stream of events (``text/event-stream``), begun only when there is something to stream."""

from __future__ import annotations

from typing import Final

from vsm_mcp.gateway.asgi import Send

HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
PING: Final = b": ping\r\n\r\n"


def event(message: bytes) -> bytes:
    """Return one message as an event; line breaks between its tokens become spaces."""
    if b"\n" in message or b"\r" in message:
        message = message.replace(b"\n", b" ").replace(b"\r", b" ")
    return b"event: message\r\ndata: %b\r\n\r\n" % message


async def begin(send: Send) -> None:
    """Send the head of a stream."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})


async def write(send: Send, data: bytes, *, last: bool = False) -> None:
    """Send a part of a stream."""
    await send({"type": "http.response.body", "body": data, "more_body": not last})
