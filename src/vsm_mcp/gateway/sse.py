"""Answers as a stream of events (``text/event-stream``), begun only when there is something to stream."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from vsm_mcp.gateway.asgi import Send

HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
PING: Final = b": ping\r\n\r\n"
_MAX_WAITING: Final = 256


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


class EventReply:
    """The answer to one request, which turns into a stream with the first thing pushed.

    A client that does not read loses notifications, never the answer: at most 256 wait.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[bytes] = deque()
        self._pump: asyncio.Task[None] | None = None
        self.begun = False

    def push(self, message: bytes) -> None:
        """Send a notification soon."""
        self._queue(event(message))

    def ping(self) -> None:
        """Send a comment, so that nobody on the way takes the silence for the end."""
        if not self._waiting:
            self._queue(PING)

    async def finish(self, message: bytes) -> None:
        """Send the answer and end the stream."""
        if self._pump is not None:
            await asyncio.gather(self._pump, return_exceptions=True)
        if not self.begun:
            self.begun = True
            await begin(self._send)
        await write(self._send, event(message), last=True)

    async def abandon(self) -> None:
        """Stop sending: the client is gone."""
        self._waiting.clear()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    def _queue(self, data: bytes) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            return
        self._waiting.append(data)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        if not self.begun:
            self.begun = True
            await begin(self._send)
        while self._waiting:
            await write(self._send, self._waiting.popleft())
