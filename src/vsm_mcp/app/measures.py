"""What metrics say, read from where it is counted anyway: nothing is counted twice, and nothing for metrics alone.

The call path writes one account for each tool (:mod:`vsm_mcp.routing.ledger`); everything here is read when somebody
asks for it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import vsm_mcp
from vsm_mcp.deferred import deferred
from vsm_mcp.events import ActionDecided, ContactRefused, Event, ServerRemoved
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.newcomer import server_of, version_of
from vsm_mcp.model.server import ServerState
from vsm_mcp.routing.ledger import BOUNDS, Account, Key
from vsm_mcp.runtime.status import Status
from vsm_mcp.web import metrics
from vsm_mcp.web.families import Buckets, Family, Metric, Sample

if TYPE_CHECKING:
    import psutil

    from vsm_mcp.app.application import App
else:
    psutil = deferred("psutil")

More = Callable[[], Iterable[Family]]
"""A part that has metrics of its own: asked whenever somebody reads."""

_ENDINGS: Final = tuple((ending, ending.name.lower()) for ending in Ending)
_STATES: Final = ("ok", "stale", "unavailable", "off")


class Heard:
    """Counts of events, by what metrics tell them apart by: a subscriber of the bus."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.decisions: Counter[tuple[str, str]] = Counter()
        self.contacts: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Count one event."""
        self.events[type(event).__name__] += 1
        match event:
            case ActionDecided(action=action, verdict=verdict):
                self.decisions[action, verdict] += 1
            case ContactRefused(server=server):
                self.contacts[server] += 1
            case ServerRemoved(server=server):
                self.contacts.pop(server, None)


class Named:
    """Which accounts have series of their own: the first ``most`` that were seen, for as long as they last.

    What was once counted together with the rest of its server stays there, so that no counter ever falls.
    """

    def __init__(self) -> None:
        self._own: set[Key] = set()
        self._together: set[Key] = set()

    def keep(self, keys: Iterable[Key], most: int) -> None:
        """Take in which accounts there are now."""
        there = set(keys)
        self._own &= there
        self._together &= there
        for key in keys:
            if key not in self._own and key not in self._together:
                (self._own if len(self._own) < most else self._together).add(key)

    def __contains__(self, key: Key) -> bool:
        return key in self._own


class Measures:
    """All metrics of one home. ``also`` are the parts that have more of them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._named = Named()
        self.heard = Heard()
        self.also: list[More] = []

    def families(self) -> Iterator[Family]:
        """Yield every metric with what is measured of it now."""
        yield from self._calls()
        yield from self._servers()
        yield from self._gateway()
        yield from self._rest()
        for more in self.also:
            yield from more()
        yield from _process(self._app.started)

    # --- calls ---------------------------------------------------------------------------------------------------

    def _calls(self) -> Iterator[Family]:
        accounts = self._app.gateway.router.ledger.accounts()
        self._named.keep(tuple(accounts), self._app.config.telemetry.metric_tools)
        found: dict[tuple[str, str, str], Account] = {}
        for key, account in accounts.items():
            server, version = server_of(key[0]), version_of(key[0])
            if key in self._named:
                found[server, version, key[1]] = account
            else:
                whole = found.setdefault((server, version, ""), Account())
                _add(whole, account)
        calls = [
            Sample((*key, word), account.endings[ending])
            for key, account in found.items()
            for ending, word in _ENDINGS
            if account.endings[ending]
        ]
        yield Family(metrics.CALLS, calls)
        took = [Buckets(key, account.buckets, account.seconds) for key, account in found.items() if account.answered]
        yield Family(metrics.DURATIONS, took, BOUNDS)

    # --- servers -------------------------------------------------------------------------------------------------

    def _servers(self) -> Iterator[Family]:
        runtime, counters = self._app.runtime, self._app.counters
        statuses = runtime.statuses()
        states = [
            Sample((status.name, state.value), float(status.state is state))
            for status in statuses
            for state in ServerState
        ]
        yield Family(metrics.STATE, states)
        yield Family(metrics.IN_FLIGHT, [Sample((status.name,), _in_flight(status)) for status in statuses])
        yield Family(metrics.WAITING, [Sample((status.name,), _waiting(status)) for status in statuses])
        life = [
            Sample((status.name, what), count)
            for status in statuses
            for what, count in counters.of(status.name).items()
            if count
        ]
        yield Family(metrics.LIFE, life)
        usages = [(status.name, usage) for status in statuses if (usage := runtime.resources.of(status.name))]
        yield Family(metrics.MEMORY, [Sample((name,), usage.rss_bytes) for name, usage in usages])
        yield Family(metrics.CPU, [Sample((name,), usage.cpu_share) for name, usage in usages])
        yield Family(metrics.PROCESSES, [Sample((name,), usage.processes) for name, usage in usages])
        files = [Sample((name,), usage.open_files) for name, usage in usages if usage.open_files is not None]
        yield Family(metrics.OPEN_FILES, files)
        yield _counted(metrics.CONTACTS, {(name,): count for name, count in self.heard.contacts.items()})

    # --- the rest ------------------------------------------------------------------------------------------------

    def _gateway(self) -> Iterator[Family]:
        gateway = self._app.gateway
        yield _one(metrics.SESSIONS, len(gateway.sessions))
        yield _one(metrics.WAITS, len(gateway.vigil))
        yield _counted(metrics.REFUSED, {(str(status),): count for status, count in gateway.refused.items()})
        yield _one(metrics.TOOLS, len(gateway.catalogue.tools))
        yield _one(metrics.SERVERS, len(self._app.fleet.servers))

    def _rest(self) -> Iterator[Family]:
        yield _counted(metrics.EVENTS, {(name,): count for name, count in self.heard.events.items()})
        yield _counted(metrics.DECISIONS, self.heard.decisions)
        asked = [row for row in self._app.finder.lookout.report() if row["state"] and row["on"]]
        sources = [Sample((row["source"], state), float(row["state"] == state)) for row in asked for state in _STATES]
        yield Family(metrics.SOURCES, sources)
        yield Family(metrics.BUILD, [Sample((vsm_mcp.__version__,), 1)])


def _process(started: float) -> Iterator[Family]:
    own = psutil.Process()
    yield _one(metrics.STARTED, round(started, 3))
    yield _one(metrics.OWN_MEMORY, own.memory_info().rss)
    yield _one(metrics.OWN_CPU, time.process_time())
    if hasattr(own, "num_fds"):
        yield _one(metrics.OWN_FILES, own.num_fds())


def _one(metric: Metric, value: float) -> Family:
    return Family(metric, [Sample((), value)])


def _counted(metric: Metric, counts: dict[tuple[str, ...], int] | Counter[tuple[str, str]]) -> Family:
    return Family(metric, [Sample(labels, count) for labels, count in counts.items()])


def _in_flight(status: Status) -> int:
    shared = status.in_flight if status.pool is None else status.pool.calls
    return shared + sum(each.in_flight for each in status.instances)


def _waiting(status: Status) -> int:
    queued = 0 if status.pool is None else status.pool.waiting
    return queued + status.waiting + sum(each.waiting for each in status.instances)


def _add(whole: Account, part: Account) -> None:
    whole.endings = [one + other for one, other in zip(whole.endings, part.endings, strict=True)]
    whole.buckets = [one + other for one, other in zip(whole.buckets, part.buckets, strict=True)]
    whole.seconds += part.seconds
