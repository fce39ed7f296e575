"""The breakers of all servers and their tools: which of them stand in a call's way, and what is told of them.

Mutable, like the ledger; belongs to one event loop, and nothing here waits. Only what failed has a breaker.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from vsm_mcp.events import BreakerClosed, BreakerHalfOpened, BreakerOpened, Emit, ignore
from vsm_mcp.model.ending import Ending
from vsm_mcp.routing.breaker import COUNTED, OPENING, Breaker, BreakerOpen, Fault, Rules, State
from vsm_mcp.routing.ledger import Ledger

Key = tuple[str, str]
"""(server, tool); the tool is empty for the server as a whole."""

_MOST: Final = 20_000
_WHY: Final = {
    Ending.TRANSPORT: "its connection broke or it did not come up",
    Ending.TIMEOUT: "it did not answer in time",
    Ending.PROTOCOL: "it answered with junk",
    Ending.AUTH: "it does not let us in",
    Ending.QUOTA: "it wants to be asked less often",
}


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A call of ``tool`` that failed, as :class:`~vsm_mcp.routing.breaker.Fault` has it.

    ``reached`` says whether it got to the server at all.
    """

    server: str
    tool: str
    ending: Ending
    began: float
    now: float
    after: float = 0.0
    reached: bool = True


class BreakerState(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker as it is shown; ``tool`` is empty for that of a whole server. ``seconds``: until it is tried again."""

    server: str
    tool: str
    state: State
    failure: str
    seconds: float
    refused: int


class Probe:
    """A call that was let through half-open breakers; it has to say how it ended, once."""

    __slots__ = ("_began", "_breakers", "_owner", "server")

    def __init__(self, owner: Breakers, server: str, breakers: tuple[tuple[Key, Breaker], ...], began: float) -> None:
        self.server = server
        self._owner = owner
        self._breakers = breakers
        self._began = began

    def ended(self, ending: Ending, now: float) -> None:
        """Take note of how the call ended; what failed is told to :meth:`Breakers.failed` as well."""
        breakers, self._breakers = self._breakers, ()
        for key, breaker in breakers:
            if breaker.tried(self._began, now, answered=ending <= Ending.REFUSED):
                self._owner.closed(key)


class Breakers:
    """``changed`` is called with a server whose breakers are not all closed any more, or are again."""

    def __init__(self, ledger: Ledger, changed: Callable[[str], None]) -> None:
        self.rules: Rules | None = Rules()
        self.emit: Emit = ignore
        self.draw: Callable[[], float] = random.random
        self._ledger = ledger
        self._changed = changed
        self._breakers: dict[Key, Breaker] = {}
        self._guilty: dict[str, dict[str, float]] = {}  # by server: tools that failed, and when

    def configure(self, rules: Rules | None) -> None:
        """Have other rules count from now on (``None``: nobody is ever left alone); what was seen is forgotten."""
        if rules != self.rules:
            self.rules = rules
            servers = {server for server, _ in self._breakers}
            self._breakers.clear()
            self._guilty.clear()
            for server in servers:
                self._changed(server)

    def failed(self, failed: Failed) -> None:
        """Take in a call that failed in a way that can open a breaker; any other ending is none of ours."""
        rules = self.rules
        if failed.ending not in OPENING or rules is None:
            return
        if failed.reached:
            self._take(failed, failed.tool, rules, self._ledger.of(failed.server, failed.tool).answered)
        if self._concerns_all(failed, rules):
            answered = sum(account.answered for _, account in self._ledger.of_server(failed.server))
            self._take(failed, "", rules, answered)

    def admit(self, server: str, tool: str, now: float) -> Probe | None:
        """Let a call through, as a probe where a breaker is half-open. Raises :class:`BreakerOpen`."""
        probing: list[tuple[Key, Breaker]] = []
        for key in ((server, ""), (server, tool)):
            breaker = self._breakers.get(key)
            if breaker is None or breaker.state is State.CLOSED:
                continue
            was_open = breaker.state is State.OPEN
            if not breaker.admit(now):
                for _, other in probing:
                    other.tried(now, now, answered=False)
                raise _refusal(key, breaker, now)
            if was_open:
                self.emit(BreakerHalfOpened(server=server, tool=key[1]))
            probing.append((key, breaker))
        return Probe(self, server, tuple(probing), now) if probing else None

    def blocked(self, server: str, tool: str, now: float) -> bool:
        """Say whether :meth:`admit` would refuse a call now; nothing changes by asking."""
        found = (self._breakers.get((server, "")), self._breakers.get((server, tool)))
        return any(breaker is not None and breaker.blocked(now) for breaker in found)

    def started(self, server: str, now: float) -> None:
        """Take note that a server was started: its breakers let a call through to see."""
        for (name, _), breaker in self._breakers.items():
            if name == server:
                breaker.look_again(now)

    def closed(self, key: Key) -> None:
        """Publish that a breaker has closed."""
        self.emit(BreakerClosed(server=key[0], tool=key[1]))
        self._changed(key[0])

    def forget(self, server: str) -> None:
        """Forget the breakers of a server that is gone, or is another one now."""
        for key in [key for key in self._breakers if key[0] == server]:
            del self._breakers[key]
        self._guilty.pop(server, None)
        self._changed(server)

    def any_of(self, server: str) -> bool:
        """Say whether a breaker of a server or of a tool of it is not closed."""
        return any(key[0] == server and breaker.state is not State.CLOSED for key, breaker in self._breakers.items())

    def states(self, now: float, servers: Collection[str] | None = None) -> list[BreakerState]:
        """Return every breaker (of some servers) that is not closed, by name."""
        return [
            BreakerState(
                server=key[0],
                tool=key[1],
                state=breaker.state,
                failure=breaker.ending.name.lower(),
                seconds=round(breaker.seconds(now), 3),
                refused=breaker.refused,
            )
            for key, breaker in sorted(self._breakers.items())
            if breaker.state is not State.CLOSED and (servers is None or key[0] in servers)
        ]

    def _take(self, failed: Failed, tool: str, rules: Rules, answered: int) -> None:
        key = (failed.server, tool)
        breaker = self._breakers.get(key) or self._made(key, rules, failed.now)
        fault = Fault(ending=failed.ending, began=failed.began, now=failed.now, answered=answered, after=failed.after)
        if breaker.failed(fault, self.draw()):
            why, seconds = _WHY[failed.ending], round(breaker.seconds(failed.now), 3)
            self.emit(
                BreakerOpened(
                    server=failed.server, tool=tool, failure=failed.ending.name.lower(), reason=why, seconds=seconds
                )
            )
            self._changed(failed.server)

    def _concerns_all(self, failed: Failed, rules: Rules) -> bool:
        """Say whether a fault speaks against a server as a whole.

        Who lets nobody in, or is not there, is not there for any tool. A connection that breaks, silence and junk may
        be the doing of one tool: they count once two of its tools show them.
        """
        if failed.ending not in COUNTED or not failed.reached:
            return True
        tools = self._guilty.setdefault(failed.server, {})
        tools[failed.tool] = failed.now
        if len(tools) > 1:
            for tool in [tool for tool, at in tools.items() if failed.now - at > rules.window]:
                del tools[tool]
        return len(tools) > 1

    def _made(self, key: Key, rules: Rules, now: float) -> Breaker:
        if len(self._breakers) >= _MOST:
            for each in [each for each, breaker in self._breakers.items() if breaker.idle(now)]:
                del self._breakers[each]
            key = key if len(self._breakers) < _MOST else (key[0], "")
        return self._breakers.setdefault(key, Breaker(rules))


def _refusal(key: Key, breaker: Breaker, now: float) -> BreakerOpen:
    server, tool = key
    what = f"the tool {tool} of {server}" if tool else server
    seconds = breaker.seconds(now)
    return BreakerOpen(
        f"{what} is left alone for now: its last calls failed, because {_WHY[breaker.ending]}",
        f"try again in {max(round(seconds), 1)} s, or use another tool meanwhile",
        seconds,
    )
