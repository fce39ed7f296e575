"""When a server, or one tool of it, is left alone for a while because its calls fail, and how it gets back. Pure.

The state machine is Nygard's circuit breaker ("Release It!", 2007): closed, open, half-open. What is counted is
evidence, not mishaps: of the calls that were under way when a connection broke, one counts, because the others say the
same. A window needs a number of calls before its rate means anything, and a few faults in a row without one answer in
between are enough by themselves. What a tool says about its arguments or its world (``isError``, a JSON-RPC error) is
an answer.

Successes are never reported while a breaker is closed: a fault comes with the number of calls answered so far, so that
the calls that go well cost nothing here.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Final

import msgspec

from vsm_mcp.errors import ServerDown
from vsm_mcp.model.ending import Ending

_REMEMBERED: Final = 128
"""Faults that one window keeps; the rate over the latest of them is as good as that over all."""

COUNTED: Final = frozenset({Ending.TRANSPORT, Ending.TIMEOUT, Ending.PROTOCOL})
AT_ONCE: Final = frozenset({Ending.QUOTA})
"""One is enough: the server itself asks to be left alone."""
OPENING: Final = COUNTED | AT_ONCE | {Ending.AUTH}
"""What can open a breaker. An overloaded server is not ill: its queue sheds, and others are asked before it."""


class State(StrEnum):
    """``closed``: calls go through; ``open``: none does; ``half_open``: a few, to see whether it is well again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens, and for how long. Times in seconds.

    It opens when ``rate`` of at least ``calls`` calls within ``window`` failed, when ``in_a_row`` failed, and when
    ``refused_in_a_row`` were not let in for want of a right. It stays open for ``shortest``, twice as long each time it
    opens again, up to ``longest``; for a quota as long as the server asks for, up to ``quota_longest``. A quarter of
    that is up to chance, so that many do not come back together. Up to ``probes`` calls at a time are let through then;
    one that has not ended within ``probe_seconds`` makes room for another. Being well for ``calm`` forgets how often it
    opened.
    """

    window: float = 30.0
    calls: int = 10
    rate: float = 0.5
    in_a_row: int = 5
    refused_in_a_row: int = 3
    shortest: float = 1.0
    longest: float = 60.0
    quota_seconds: float = 5.0
    quota_longest: float = 300.0
    probes: int = 1
    probe_seconds: float = 120.0
    calm: float = 120.0


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A call that failed.

    ``began`` and ``now`` are seconds of a steady clock, ``answered`` is how many calls had been answered by then.
    ``after`` is for how long the server asks to be left alone (0: it does not say).
    """

    ending: Ending
    began: float
    now: float
    answered: int
    after: float = 0.0


class Breaker:
    """One breaker; made with the first fault. ``chance`` (0 to 1) is drawn anew by whoever reports a fault."""

    __slots__ = (
        "_faults",
        "_last_counted",
        "_opened",
        "_probes",
        "ending",
        "refused",
        "rules",
        "since",
        "state",
        "until",
    )

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.state = State.CLOSED
        self.since = self.until = float("-inf")
        self.ending = Ending.OTHER
        self.refused = 0
        self._faults: deque[tuple[float, int, Ending]] = deque(maxlen=_REMEMBERED)
        self._last_counted = float("-inf")
        self._opened = 0
        self._probes: list[float] = []

    def failed(self, fault: Fault, chance: float = 0.0) -> bool:
        """Take in a fault; return whether the breaker opened by it."""
        if fault.ending not in OPENING or self.state is State.OPEN:
            return False
        if self.state is State.HALF_OPEN:
            return fault.began >= self.since and self._open(fault, chance)
        if fault.ending is Ending.TRANSPORT and fault.began < self._last_counted:
            return False  # it was under way when the last one broke: the same mishap
        self._last_counted = fault.now
        self._faults.append((fault.now, fault.answered, fault.ending))
        while self._faults[0][0] < fault.now - self.rules.window:
            self._faults.popleft()
        return self._enough(fault) and self._open(fault, chance)

    def admit(self, now: float) -> bool:
        """Say whether a call may go through; one that goes through a half-open breaker has to be :meth:`tried`."""
        if self.blocked(now):
            self.refused += 1
            return False
        if self.state is State.OPEN:
            self.state, self.since = State.HALF_OPEN, now
        if self.state is State.HALF_OPEN:
            self._probes = [*self._running(now), now]
        return True

    def blocked(self, now: float) -> bool:
        """Say whether a call could not go through; nothing changes by asking."""
        if self.state is State.HALF_OPEN:
            return len(self._running(now)) >= self.rules.probes
        return self.state is State.OPEN and now < self.until

    def tried(self, began: float, now: float, *, answered: bool) -> bool:
        """Take in that a call that was let through at ``began`` has ended; return whether the breaker closed by it.

        Whatever did not bring an answer only makes room for the next one; that it failed, :meth:`failed` tells.
        """
        if began in self._probes:
            self._probes.remove(began)
        if not answered or self.state is not State.HALF_OPEN or began < self.since:
            return False
        self.state, self.since = State.CLOSED, now
        self._faults.clear()
        self._last_counted = now
        return True

    def look_again(self, now: float) -> None:
        """Let the next call through: there is news of what it guards (it was started anew)."""
        if self.state is State.OPEN:
            self.until = min(self.until, now)

    def seconds(self, now: float) -> float:
        """Return for how long it is worth waiting before the next call."""
        return max(self.until - now, 0.0) if self.state is State.OPEN else self.rules.shortest

    def idle(self, now: float) -> bool:
        """Say whether it can be forgotten: nothing that it remembers would change what it does."""
        quiet = not self._faults or self._faults[-1][0] < now - self.rules.window
        return self.state is State.CLOSED and quiet and now - self.since >= self.rules.calm

    def _running(self, now: float) -> list[float]:
        """Return when the probes began that may still come back."""
        return [began for began in self._probes if now - began < self.rules.probe_seconds]

    def _enough(self, fault: Fault) -> bool:
        rules, faults = self.rules, self._faults
        if fault.ending in AT_ONCE:
            return True
        row = 0
        for _, answered, ending in reversed(faults):
            if answered != fault.answered or (ending is Ending.AUTH) is not (fault.ending is Ending.AUTH):
                break
            row += 1
        if fault.ending is Ending.AUTH:
            return row >= rules.refused_in_a_row
        counted = sum(ending in COUNTED for _, _, ending in faults)
        calls = counted + fault.answered - faults[0][1]
        return row >= rules.in_a_row or (calls >= rules.calls and counted / calls >= rules.rate)

    def _open(self, fault: Fault, chance: float) -> bool:
        rules, now = self.rules, fault.now
        if self.state is State.CLOSED and now - self.since >= rules.calm:
            self._opened = 0
        doubled = 2.0 ** min(self._opened, 16)
        if fault.ending is Ending.QUOTA:
            seconds = min(max(fault.after, rules.quota_seconds * doubled), rules.quota_longest)
        else:
            seconds = min(rules.shortest * doubled, rules.longest) * (1.0 - 0.25 * min(max(chance, 0.0), 1.0))
        self.state, self.ending = State.OPEN, fault.ending
        self.since, self.until = now, now + seconds
        self._opened += 1
        self._faults.clear()
        self._probes = []
        return True


class BreakerOpen(ServerDown):
    """A call was not made because those before it failed; ``seconds`` until it is worth trying again."""

    code = "unavailable"

    def __init__(self, message: str, hint: str, seconds: float) -> None:
        super().__init__(message, hint)
        self.seconds = seconds
        self.unsent = True
