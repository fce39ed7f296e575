"""The calls of one connection that wait for their answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.wire.envelope import Message

OnNotification = Callable[[str, Raw], None]
"""Takes the method and the raw params of a notification that belongs to one call."""

EXPIRED: Final = Message(jsonrpc="2.0", method="expired")
LOST: Final = Message(jsonrpc="2.0", method="lost")

_decode_any: Final = msgspec.json.Decoder(str | int | float | None).decode


class Pending:
    """Calls by id. One timer serves them all: a timer for each would cost more than reading its answer.

    A waiting future gets the answer, or :data:`EXPIRED` or :data:`LOST`; never an exception, so that an answer which
    nobody fetches any more leaves no trace.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, tuple[asyncio.Future[Message], float]] = {}
        self._listeners: dict[int, OnNotification] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = float("inf")
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._calls)

    def next_id(self) -> int:
        """Return an id that this connection has not used yet."""
        self._last_id += 1
        return self._last_id

    def add(self, ident: int, timeout: float, listener: OnNotification | None) -> asyncio.Future[Message]:
        """Await an answer to ``ident`` for ``timeout`` seconds (infinity: for ever)."""
        answer: asyncio.Future[Message] = self._loop.create_future()
        deadline = self._loop.time() + timeout
        self._calls[ident] = (answer, deadline)
        if listener is not None:
            self._listeners[ident] = listener
        if deadline < self._wake_at:
            self._wake(deadline)
        return answer

    def answered(self, ident: Raw, message: Message) -> bool:
        """Hand an answer to the call it belongs to; ``False`` when there is none (unknown, late or a duplicate)."""
        call = self._calls.pop(_number(ident), None)
        if call is None:
            return False
        if not call[0].done():
            call[0].set_result(message)
        return True

    def forget(self, ident: int) -> bool:
        """Drop a call, so that its late answer is dropped too; ``False`` when it was already answered."""
        self._listeners.pop(ident, None)
        return self._calls.pop(ident, None) is not None

    def release(self, ident: Raw) -> None:
        """Give :data:`LOST` to a call that would wait for ever: the server said that it gave it up."""
        call = self._calls.get(_number(ident))
        if call is not None and call[1] == float("inf") and not call[0].done():
            call[0].set_result(LOST)

    def listener(self, token: Raw) -> OnNotification | None:
        """Return who listens to the progress of the call whose token this is."""
        return self._listeners.get(_number(token)) if self._listeners else None

    def fail_all(self) -> None:
        """Give every waiting call :data:`LOST`."""
        calls, self._calls = self._calls, {}
        for answer, _ in calls.values():
            if not answer.done():
                answer.set_result(LOST)
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wake_at = at
        self._timer = self._loop.call_at(at, self._expire) if at != float("inf") else None

    def _expire(self) -> None:
        now, nearest = self._loop.time(), float("inf")
        for answer, deadline in self._calls.values():
            if deadline > now:
                nearest = min(nearest, deadline)
            elif not answer.done():
                answer.set_result(EXPIRED)
        self._timer = None
        self._wake(nearest)


def _number(ident: Raw) -> int:
    """Read an id as one of ours; -1 when it is none. ``7``, ``"7"`` and ``7.0`` are the same, as for both SDKs."""
    try:
        return int(bytes(ident))
    except ValueError:
        pass
    try:
        value = _decode_any(ident)
        return -1 if value is None or (value != int(value) and not isinstance(value, str)) else int(value)
    except (ValueError, OverflowError, msgspec.DecodeError):
        return -1
