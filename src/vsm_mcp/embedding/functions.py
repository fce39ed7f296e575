"""A server in this very process: one function that answers messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from vsm_mcp.errors import TransportError
from vsm_mcp.wire.tasks import Tasks
from vsm_mcp.wire.transport import Deliver, Done, Head, Lost, unsent

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]]
"""Takes one message (a decoded JSON-RPC object), returns what to answer it with; ``None`` for a notification."""


class FunctionTransport:
    """Carries messages to ``answer``, each in a task of its own, and its answers back.

    An exception of its own ends the conversation, as a crash would. ``closed`` is awaited when that is over.
    """

    kind = "function"
    only_era: str | None = None
    closing_cancels = False

    def __init__(self, answer: Answer, closed: Callable[[], Awaitable[None]] | None = None) -> None:
        self._answer = answer
        self._closed = closed
        self._tasks = Tasks()
        self._deliver: Deliver
        self._lost: Lost | None = None

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Begin."""
        self._deliver, self._lost = deliver, lost

    def try_send(self, data: bytes) -> bool:
        """Hand a message over, unless the conversation is over."""
        if self._lost is None:
            return False
        self._tasks.spawn(self._hand(data))
        return True

    def begin(self, data: bytes, head: Head, done: Done) -> None:
        """Do nothing: answers come when they come."""

    async def send(self, data: bytes, head: Head) -> None:
        """Hand a message over. Raises :class:`TransportError` when the conversation is over."""
        if not self.try_send(data):
            raise unsent(TransportError("the connection to the server is closed"))

    async def close(self) -> None:
        """Take no more messages, and end those that are being answered. Idempotent."""
        self._ended("the connection was closed")
        await self._tasks.end()
        closed, self._closed = self._closed, None
        if closed is not None:
            await closed()

    async def _hand(self, data: bytes) -> None:
        try:
            said = await self._answer(msgspec.json.decode(data))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the server's, and must not end us
            self._ended(f"the server failed with {type(error).__name__}: {error}")
            return
        if said is not None and self._lost is not None:
            self._deliver(msgspec.json.encode(said), None)

    def _ended(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)
