"""One request to a server, from its sending to its answer."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from msgspec import Raw

from vsm_mcp.errors import RequestTimeout, TransportError, VsmError
from vsm_mcp.wire import envelope
from vsm_mcp.wire.dialogue import Dialogue
from vsm_mcp.wire.envelope import Message

EXPIRED: Final = Message(jsonrpc="2.0", method="expired")
LOST: Final = Message(jsonrpc="2.0", method="lost")
_PAUSED: Final = Message(jsonrpc="2.0", method="paused")

Outcome = Message | VsmError


class Owner(Protocol):
    """The connection that a call belongs to."""

    def give_up(self, call: Call) -> None:
        """Forget a call and tell the server, if it is not answered yet."""
        ...

    def put_off(self, call: Call, seconds: float) -> None:
        """Let a call wait longer."""
        ...

    def why_lost(self) -> str:
        """Return why nothing is answered any more."""
        ...


class Call:
    """A call in flight; made by :meth:`vsm_mcp.wire.connection.Connection.begin`.

    Whoever made it awaits :meth:`answer` and says :meth:`give_up` at the end. ``timeout`` is in seconds; ``deadline``
    may be put off, never beyond ``limit`` (both in the loop's time).
    """

    __slots__ = ("_owner", "_turn", "deadline", "dialogue", "ident", "limit", "method", "sender", "timeout")

    def __init__(self, owner: Owner, ident: int, method: str, dialogue: Dialogue | None) -> None:
        self.ident = ident
        self.method = method
        self.dialogue = dialogue
        self.timeout = self.deadline = self.limit = float("inf")
        self.sender: asyncio.Task[None] | None = None
        self._owner = owner
        self._turn: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def answer(self) -> Raw | None:
        """Await the result, raw; ``None`` when the call was paused (it goes on: await again).

        Raises :class:`RpcError` when the server answers with an error, :class:`RequestTimeout` when it does not
        answer in time, :class:`TransportError` when the connection breaks, and what sending raised.
        """
        outcome = await self._turn
        if isinstance(outcome, VsmError):
            raise outcome
        if outcome.result is not None:
            return outcome.result
        if outcome is _PAUSED:
            return None
        if outcome is EXPIRED:
            raise RequestTimeout(f"the server did not answer {self.method} within {self.timeout:g} s")
        if outcome is LOST:
            raise TransportError(self._owner.why_lost())
        raise envelope.read_error(outcome.error or Raw(b"{}"))

    def settle(self, outcome: Outcome) -> None:
        """Give whoever waits the outcome; the first one counts."""
        if not self._turn.done():
            self._turn.set_result(outcome)

    def pause(self) -> None:
        """Wake whoever waits, without an answer."""
        if not self._turn.done():
            woken, self._turn = self._turn, asyncio.get_running_loop().create_future()
            woken.set_result(_PAUSED)

    def stop_sending(self) -> None:
        """Stop the task that sends it, if one does: over HTTP that is what cancels it."""
        if self.sender is not None:
            self.sender.cancel()

    def put_off(self, seconds: float) -> None:
        """Let it wait for ``seconds`` from now on, if that is later than its deadline and within its limit."""
        self._owner.put_off(self, seconds)

    def give_up(self) -> None:
        """Cancel it at the server unless it is answered; a late answer is dropped. Idempotent."""
        self._owner.give_up(self)
