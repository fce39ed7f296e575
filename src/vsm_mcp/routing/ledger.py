"""What became of every call, by who was asked and for which tool: counts, and how long it took.

Mutable, because it is written by every call; it belongs to one event loop, and nothing here waits. Whoever looks for
news keeps the totals it saw last and takes the difference.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from math import log
from typing import Final

from vsm_mcp.model.ending import FAULTS, Ending

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds in seconds of the buckets that durations are counted in; one more holds what is longer."""

Key = tuple[str, str]
"""(who was asked, tool); the method stands for the tool where a request is no call of one."""

_MOST: Final = 20_000


class Account:
    """All calls of one tool of one server (or of one of its versions).

    ``endings`` counts by :class:`Ending`, ``buckets`` by duration (see :data:`BOUNDS`). ``seconds`` and ``squares`` are
    sums of the durations and of their squares, of those that were answered, whatever the answer said. ``logs`` and
    ``log_squares`` are the same of ``log(seconds + 1 ms)``, of plain answers alone: what paces are compared by.
    """

    __slots__ = ("buckets", "endings", "log_squares", "logs", "seconds", "squares")

    def __init__(self) -> None:
        self.endings = [0] * len(Ending)
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.squares = 0.0
        self.logs = 0.0
        self.log_squares = 0.0

    def note(self, ending: Ending, seconds: float) -> None:
        """Count one call."""
        self.endings[ending] += 1
        if ending <= Ending.REFUSED:
            self.buckets[bisect_left(BOUNDS, seconds)] += 1
            self.seconds += seconds
            self.squares += seconds * seconds
            if not ending:
                logarithm = log(seconds + 0.001)
                self.logs += logarithm
                self.log_squares += logarithm * logarithm

    @property
    def calls(self) -> int:
        """How many calls ended, in whatever way."""
        return sum(self.endings)

    @property
    def answered(self) -> int:
        """How many calls the server answered, whatever the answer said."""
        return sum(self.endings[: Ending.REFUSED + 1])

    @property
    def faults(self) -> int:
        """How many calls ended in a way that speaks against the server."""
        return sum(self.endings[ending] for ending in FAULTS)


class Ledger:
    """The accounts of all servers."""

    def __init__(self) -> None:
        self._accounts: dict[Key, Account] = {}
        self._servers: dict[str, dict[str, Account]] = {}

    def of(self, server: str, tool: str) -> Account:
        """Return the account of a tool, opened when it is first asked for.

        Bounded: beyond 20,000 tools, what is new shares the account of its server's other tools (``""``).
        """
        account = self._accounts.get((server, tool))
        if account is None:
            key = (server, tool if len(self._accounts) < _MOST else "")
            account = self._accounts.setdefault(key, Account())
            self._servers.setdefault(server, {})[key[1]] = account
        return account

    def accounts(self) -> Mapping[Key, Account]:
        """Return every account, by who was asked and for what."""
        return self._accounts

    def of_server(self, server: str) -> Iterator[tuple[str, Account]]:
        """Yield the tools of one server that were called, with their accounts."""
        return iter(self._servers.get(server, {}).items())

    def forget(self, server: str) -> None:
        """Close the accounts of a server that is gone."""
        for tool in self._servers.pop(server, {}):
            del self._accounts[server, tool]
