"""One request to a server, from its sending to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from msgspec import Raw

from vsm_mcp.errors import HttpRefused, RequestTimeout, Throttled, TransportError, VsmError
from vsm_mcp.wire import envelope
from vsm_mcp.wire.dialogue import Dialogue
from vsm_mcp.wire.envelope import Message
from vsm_mcp.wire.tally import Tally
from vsm_mcp.wire.transport import Sending

EXPIRED: Final = Message(jsonrpc="2.0", method="expired")
LOST: Final = Message(jsonrpc="2.0", method="lost")

Outcome = Message | VsmError


class Owner(Protocol):
    """The connection that a call belongs to."""

    @property
    def why_slow(self) -> Callable[[], str]:
        """What returns why a call may have waited in vain, as the end of a sentence, or ""."""
        ...

    def give_up(self, call: Call) -> None:
        """Forget a call and tell the server, if it is not answered yet."""
        ...

    def put_off(self, call: Call, seconds: float) -> None:
        """Let a call wait longer."""
        ...

    def why_lost(self) -> str:
        """Return why nothing is answered any more."""
        ...

    def relate(self, call: Call, task: str) -> None:
        """Have what is said about a task go to a call."""
        ...


class Call:
    """A call in flight; made by :meth:`vsm_mcp.wire.connection.Connection.begin`.

    Whoever made it awaits :meth:`answer`, or waits for :meth:`when_settled` and asks :attr:`result` then, and says
    :meth:`give_up` at the end. ``timeout`` is in seconds; ``deadline`` may be put off, never beyond ``limit`` (both in
    the loop's time). Where there is a ``tally``, what becomes of it is counted there, with the time since ``since``
    (:func:`time.monotonic`: the loop's own time may stand still for a millisecond).
    """

    __slots__ = (
        "_on_settled", "_outcome", "_owner", "_paused", "_woken", "deadline", "dialogue", "ident", "limit", "method",
        "sender", "since", "tally", "task", "timeout",
    )  # fmt: skip

    def __init__(self, owner: Owner, ident: int, method: str, dialogue: Dialogue | None) -> None:
        self.ident = ident
        self.method = method
        self.dialogue = dialogue
        self.timeout = self.deadline = self.limit = float("inf")
        self.since = 0.0
        self.tally: Tally | None = None
        self.sender: Sending | None = None
        self.task: str | None = None
        self._on_settled: Callable[[], None] | None = None
        self._owner = owner
        self._outcome: Outcome | None = None
        self._paused = False
        self._woken: asyncio.Future[None] | None = None

    @property
    def result(self) -> Raw | None:
        """The raw result, if there is one by now."""
        outcome = self._outcome
        return outcome.result if outcome.__class__ is Message else None

    async def answer(self) -> Raw | None:
        """Await the result, raw; ``None`` when the call was paused (it goes on: await again).

        Raises :class:`RpcError` when the server answers with an error, :class:`RequestTimeout` when it does not
        answer in time, :class:`TransportError` when the connection breaks, and what sending raised.
        """
        if self._outcome is None and not self._paused:
            self._woken = asyncio.get_running_loop().create_future()
            await self._woken
        outcome, self._paused = self._outcome, False
        if outcome is None:
            return None
        if isinstance(outcome, VsmError):
            raise outcome
        if outcome.result is not None:
            return outcome.result
        if outcome is EXPIRED:
            slow = self._owner.why_slow()
            raise RequestTimeout(f"the server did not answer {self.method} within {self.timeout:g} s{slow}")
        if outcome is LOST:
            raise TransportError(self._owner.why_lost())
        raise envelope.read_error(outcome.error or Raw(b"{}"))

    def when_settled(self, tell: Callable[[], None] | None) -> None:
        """Have ``tell`` called once, when there is an outcome or a pause (soon, if there is already)."""
        self._on_settled = tell
        if tell is not None and (self._paused or self._outcome is not None):
            asyncio.get_running_loop().call_soon(self._wake)

    def settle(self, outcome: Outcome) -> None:
        """Give whoever waits the outcome; the first one counts."""
        if self._outcome is None:
            self._outcome = outcome
            tally = self.tally
            if tally is not None:
                if outcome.__class__ is Message and outcome is not EXPIRED and outcome is not LOST:
                    tally.took(monotonic() - self.since)
                elif not isinstance(outcome, (HttpRefused, Throttled)):
                    tally.lost += 1  # the others are there, and said no to who asked, or how often
            self._wake()

    def pause(self) -> None:
        """Wake whoever waits, without an answer."""
        if self._outcome is None:
            self._paused = True
            self._wake()

    def sent(self, trouble: VsmError | None) -> None:
        """Take note that it was sent, and over HTTP answered, or why not."""
        self.sender = None
        if trouble is not None:
            self.settle(trouble)  # unless the answer came another way, on the stream the server opened for itself

    def stop_sending(self) -> None:
        """Stop sending it, if that goes on: over HTTP that is what cancels it."""
        if self.sender is not None:
            self.sender.cancel()

    def put_off(self, seconds: float) -> None:
        """Let it wait for ``seconds`` from now on, if that is later than its deadline and within its limit."""
        self._owner.put_off(self, seconds)

    def about(self, task: str, dialogue: Dialogue | None) -> None:
        """Have ``dialogue`` hear what the server says and asks about one of its tasks, until this is given up.

        Progress under the call's own token goes there too, also when the call is answered (specification 2025-11-25,
        "Tasks: Task Progress Notifications"). Of several calls about one task, the latest hears.
        """
        self.dialogue = dialogue
        self._owner.relate(self, task)

    def give_up(self) -> None:
        """Cancel it at the server unless it is answered; a late answer is dropped. Idempotent."""
        if self.task is not None or self.result is None:
            self._owner.give_up(self)

    def _wake(self) -> None:
        woken, self._woken = self._woken, None
        if woken is not None:
            if not woken.done():
                woken.set_result(None)
        elif self._on_settled is not None:
            tell, self._on_settled = self._on_settled, None
            tell()
