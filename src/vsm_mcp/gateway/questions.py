"""Questions to one client of the handshake versions, in the middle of its calls, and its answers.

Specification 2025-11-25, "Client features": a server's request travels on the stream of the call it belongs to, the
client's response as a message of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Raw

from vsm_mcp.errors import RpcError, TransportError
from vsm_mcp.wire import envelope, era
from vsm_mcp.wire.envelope import Message
from vsm_mcp.wire.pending import number

_MAX_OPEN: Final = 64


class Questions:
    """What one client is asked now. The ids are ours, and unique within its session."""

    __slots__ = ("_last", "_open")

    def __init__(self) -> None:
        self._last = 0
        self._open: dict[int, asyncio.Future[Message]] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def put(self, method: str, params: Raw | None, send: Callable[[bytes], None]) -> Raw:
        """Ask, and await the raw result; whoever is cancelled meanwhile takes the question back.

        Raises :class:`RpcError` for a client's error, :class:`TransportError` when it leaves or is asked too much.
        """
        if len(self._open) >= _MAX_OPEN:
            raise TransportError("the client has too many questions to answer")
        self._last += 1
        ident = self._last
        answer = self._open[ident] = asyncio.get_running_loop().create_future()
        send(envelope.request(ident, method, params))
        try:
            message = await answer
        except asyncio.CancelledError:
            if not answer.done() or answer.cancelled():
                send(envelope.notification("notifications/cancelled", {"requestId": ident}))
            raise
        finally:
            self._open.pop(ident, None)
        result: Raw | None = message.result
        if result is not None:
            return result
        if message.error is not None:
            raise envelope.read_error(message.error)
        raise RpcError(era.INTERNAL_ERROR, "the client left before it answered")

    def answered(self, message: Message) -> bool:
        """Take a client's response; ``False`` when nobody waits for it."""
        answer = self._open.get(number(message.id)) if message.id is not None else None
        if answer is None or answer.done():
            return False
        answer.set_result(message)
        return True

    def close(self) -> None:
        """Take note that the client has gone."""
        for answer in self._open.values():
            if not answer.done():
                answer.set_result(Message(jsonrpc="2.0", method="gone"))
