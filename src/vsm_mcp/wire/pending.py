"""The calls of one connection that wait for their answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from itertools import count
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError, TransportError
from vsm_mcp.wire import envelope, transport
from vsm_mcp.wire.call import EXPIRED, LOST, Call
from vsm_mcp.wire.envelope import Message

_FOREVER: Final = float("inf")
_decode_any: Final = msgspec.json.Decoder(str | int | float | None).decode


class Pending:
    """Calls by id. One timer serves them all: a timer for each would cost more than reading its answer.

    ``fewer`` is called whenever there is one less, unless all are lost at once.

    A waiting future never gets an exception, so that an answer which nobody fetches any more leaves no trace.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, Call] = {}
        self._answered: dict[int, Call] = {}
        self._by_task: dict[str, list[Call]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = _FOREVER
        self.next_id: Callable[[], int] = count(1).__next__
        """Returns an id that this connection has not used yet."""
        self.fewer: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Call, timeout: float, limit: float) -> None:
        """Await an answer for ``timeout`` seconds (infinity: for ever), ``limit`` at most if it is put off."""
        now = self._loop.time()
        call.timeout = timeout
        call.deadline = now + timeout
        call.limit = now + max(timeout, limit)
        self._calls[call.ident] = call
        if call.deadline < self._wake_at:
            self._wake(call.deadline)

    def put_off(self, call: Call, seconds: float) -> None:
        """Let a call wait for ``seconds`` from now on, if that is later than its deadline and within its limit."""
        call.deadline = min(call.limit, max(call.deadline, self._loop.time() + seconds))

    def answered(self, ident: Raw, message: Message) -> bool:
        """Hand an answer to the call it belongs to; ``False`` when there is none (unknown, late or a duplicate)."""
        call = self._calls.pop(number(ident), None)
        if call is None:
            return False
        call.settle(message)
        if self.fewer is not None:
            self.fewer()
        return True

    def only_answered(self, message: Message) -> bool:
        """Hand an answer that does not say to which call to the only one that waits; ``False`` when there are more."""
        waiting = [call for call in self._calls.values() if call.deadline != _FOREVER]
        if len(waiting) != 1:
            return False
        del self._calls[waiting[0].ident]
        waiting[0].settle(message)
        if self.fewer is not None:
            self.fewer()
        return True

    def spoilt(self, ident: int | None, error: ProtocolError) -> None:
        """Fail a call whose answer cannot be read: another one will not come."""
        call = self._calls.pop(ident, None) if ident is not None else None
        if call is not None:
            call.settle(ProtocolError(f"the server's answer to {call.method} cannot be read: {error.message}"))
            if self.fewer is not None:
                self.fewer()

    def forget(self, ident: int) -> bool:
        """Drop a call, so that its late answer is dropped too; ``False`` when it was already answered."""
        if self._calls.pop(ident, None) is None:
            return False
        if self.fewer is not None:
            self.fewer()
        return True

    def release(self, ident: Raw) -> None:
        """Give :data:`LOST` to a call that would wait for ever: the server said that it gave it up."""
        call = self._calls.get(number(ident))
        if call is not None and call.deadline == _FOREVER:
            call.settle(LOST)

    def get(self, ident: int) -> Call | None:
        """Return the call with an id of ours: one that waits, or one that is about a task."""
        return self._calls.get(ident) or self._answered.get(ident)

    def count(self, *, besides: Container[str]) -> int:
        """Return how many calls wait whose method is not one of ``besides``, and how many tasks are worked on."""
        return len(self._by_task) + sum(call.method not in besides for call in self._calls.values())

    def relate(self, call: Call, task: str) -> None:
        """Have :meth:`about` find a call by its task, and :meth:`get` also when it is answered."""
        self.unrelate(call)
        call.task = task
        self._answered[call.ident] = call
        self._by_task.setdefault(task, []).append(call)

    def unrelate(self, call: Call) -> None:
        """Forget what task a call is about; idempotent."""
        calls = self._by_task.get(call.task or "", [])
        if call in calls:
            calls.remove(call)
            del self._answered[call.ident]
            if not calls:
                del self._by_task[call.task or ""]
        call.task = None

    def about(self, task: str) -> Call | None:
        """Return the latest call that is about a task."""
        calls = self._by_task.get(task)
        return calls[-1] if calls else None

    def in_dialogue(self) -> list[Call]:
        """Return the calls whose client can be spoken to, oldest first."""
        return [call for call in self._calls.values() if call.dialogue is not None]

    def unsent(self, message: bytes, why: str) -> None:
        """Fail the call that a message of ours makes, if it makes one: nothing of it has left."""
        try:
            found = envelope.read(message)
        except ProtocolError:
            return
        asks = found.id is not None and found.method is not None
        call = self._calls.pop(number(found.id), None) if found.id is not None and asks else None
        if call is not None:
            call.settle(transport.unsent(TransportError(why)))

    def fail_all(self) -> None:
        """Give every waiting call :data:`LOST`."""
        calls, self._calls = self._calls, {}
        self._by_task.clear()
        self._answered.clear()
        for call in calls.values():
            call.settle(LOST)
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wake_at = at
        self._timer = self._loop.call_at(at, self._expire) if at != _FOREVER else None

    def _expire(self) -> None:
        now, nearest = self._loop.time(), _FOREVER
        for call in self._calls.values():
            if call.deadline > now:
                nearest = min(nearest, call.deadline)
            else:
                call.settle(EXPIRED)
        self._timer = None
        self._wake(nearest)


def number(ident: Raw) -> int:
    """Read an id as one of ours; -1 when it is none. ``7``, ``"7"`` and ``7.0`` are the same, as for both SDKs."""
    try:
        return int(bytes(ident))
    except ValueError:
        pass
    try:
        value = _decode_any(ident)
        if isinstance(value, str):
            return int(value) if value.isascii() and value.isdigit() else -1  # Python reads "1_0" and " 7 ", too
        return -1 if value is None or value != int(value) else int(value)
    except (ValueError, OverflowError, msgspec.DecodeError):
        return -1
