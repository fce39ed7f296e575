"""What became of every call, by who was asked and for which tool: counts, and how long it took.

Mutable, because it is written by every call; it belongs to one event loop, and nothing here waits. Whoever looks for
what is new has a :class:`Reader`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from math import log
from operator import sub
from typing import Final

from vsm_mcp.model.ending import FAULTS, Ending
from vsm_mcp.model.newcomer import server_of

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds in seconds of the buckets that durations are counted in; one more holds what is longer."""

Key = tuple[str, str]
"""(who was asked, tool); the method stands for the tool where a request is no call of one."""

_MOST: Final = 20_000


class Account:
    """All calls of one tool of one server (or of one of its versions).

    ``endings`` counts by :class:`Ending`, ``buckets`` by duration (see :data:`BOUNDS`). ``seconds`` is the sum of the
    durations of those that were answered, whatever the answer said. ``logs`` and ``log_squares`` are sums of
    ``log(seconds + 1 ms)`` and of its square, of plain answers alone: what paces are compared by.
    """

    __slots__ = ("buckets", "endings", "log_squares", "logs", "seconds")

    def __init__(self) -> None:
        self.endings = [0] * len(Ending)
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.logs = 0.0
        self.log_squares = 0.0

    def note(self, ending: Ending, seconds: float) -> None:
        """Count one call."""
        self.endings[ending] += 1
        if ending <= Ending.REFUSED:
            self.buckets[bisect_left(BOUNDS, seconds)] += 1
            self.seconds += seconds
            if not ending:
                logarithm = log(seconds + 0.001)
                self.logs += logarithm
                self.log_squares += logarithm * logarithm

    def copy(self) -> Account:
        """Return the account as it is now."""
        copy = Account()
        copy.endings, copy.buckets = self.endings.copy(), self.buckets.copy()
        copy.seconds, copy.logs, copy.log_squares = self.seconds, self.logs, self.log_squares
        return copy

    def since(self, before: Account) -> Account:
        """Return what was counted since the account was as ``before``."""
        more = Account()
        more.endings = list(map(sub, self.endings, before.endings))
        more.buckets = list(map(sub, self.buckets, before.buckets))
        more.seconds = self.seconds - before.seconds
        more.logs = self.logs - before.logs
        more.log_squares = self.log_squares - before.log_squares
        return more

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


class Reader:
    """What a ledger has counted since somebody read it last; everybody who reads has one of their own.

    An account that was closed and opened again in between is another one: all that it holds is new.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._accounts = ledger.accounts()
        self._read: dict[Key, tuple[Account, Account]] = {}  # each account, and a copy of it as it was read last

    def read(self, key: Key) -> Account | None:
        """Return what is new of one account, which is read then; ``None`` where nothing is."""
        more = self.unread(key)
        if more is not None:
            account = self._accounts[key]
            self._read[key] = account, account.copy()
        return more

    def unread(self, key: Key) -> Account | None:
        """Return what is new of one account, and leave it unread; ``None`` where nothing is."""
        account = self._accounts.get(key)
        if account is None:
            self._read.pop(key, None)
            return None
        known, before = self._read.get(key, _NEVER)
        before = before if known is account else _NOTHING
        return account.since(before) if account.endings != before.endings else None

    def news(self, server: str = "") -> Iterator[tuple[Key, Account]]:
        """Read all accounts, or those of one server and its newcomers; yield what is new of each where anything is."""
        for key in self._accounts:
            more = self.read(key) if not server or server_of(key[0]) == server else None
            if more is not None:
                yield key, more
        if len(self._read) > len(self._accounts):
            self._read = {key: read for key, read in self._read.items() if key in self._accounts}


_NOTHING: Final = Account()
_NEVER: Final = (_NOTHING, _NOTHING)
