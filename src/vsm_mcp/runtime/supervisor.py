"""All servers of one home: one event loop owns their state, and whoever needs one gets its connection here."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import msgspec

from vsm_mcp import config as configuration
from vsm_mcp.config import Config
from vsm_mcp.errors import ServerDown, UnknownServer
from vsm_mcp.events import Emit, HealthChecked, ServerFoundStateful, ignore
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import Server
from vsm_mcp.runtime import barred, bulk, checkup, idle, order, process, remote
from vsm_mcp.runtime.bulk import Result
from vsm_mcp.runtime.checkup import Health
from vsm_mcp.runtime.custom import StartTransport, open_custom
from vsm_mcp.runtime.hearing import (
    AuthorizerOf,
    OnOffer,
    OnSaid,
    OnStateful,
    OnUpdated,
    SecretsOf,
    no_secrets,
    nobody,
)  # fmt: skip
from vsm_mcp.runtime.homes import spec_at_home
from vsm_mcp.runtime.log import RotatedFile
from vsm_mcp.runtime.permissions import cores_of
from vsm_mcp.runtime.pool import Pool
from vsm_mcp.runtime.process import Instance
from vsm_mcp.runtime.resources import Resources
from vsm_mcp.runtime.role import Listeners, rules_of
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.start_limit import StartLimit, rate_of
from vsm_mcp.runtime.status import Status, shortened
from vsm_mcp.runtime.tenure import Tenure, tenure_of
from vsm_mcp.runtime.unit import Before, nothing
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.tally import Tally

Bulk = Literal["start", "stop", "restart", "health"]

_QUEUE_SECONDS: Final = 120.0


class Runtime:
    """Starts, watches, restarts and stops servers. An async context manager: leaving it stops them all.

    ``config`` is that of the home by default, ``sandbox`` as much of one as this machine gives (closed at the end; one
    that was passed in is not). ``secrets_of`` gives the secrets of a server by name; they are asked for at each start
    and kept nowhere. ``on_offer`` is called with what a server offers after each start and whenever it changes,
    ``on_compared`` with what another process than the shared one offers then, ``on_updated`` with the URI of a watched
    resource that changed, ``on_stateful`` with the name of a server that was found to need a process for each session,
    ``on_said`` with the session that a process is for (empty: shared), method and params of what a server says outside
    of any call. ``authorizer_of`` gives who authorizes the requests to a server elsewhere. ``resources`` knows what
    each uses, ``starts`` how often they may restart.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        sandbox: Sandbox | None = None,
        emit: Emit = ignore,
        secrets_of: SecretsOf = no_secrets,
    ) -> None:
        config = config or configuration.load()
        self.on_offer: OnOffer = nobody
        self.on_compared: OnOffer = nobody
        self.on_updated: OnUpdated = nobody
        self.on_said: OnSaid = nobody
        self.on_stateful: OnStateful = nobody
        self.authorizer_of: AuthorizerOf = nobody
        self.resources = Resources(self.statuses, self._cores, emit)
        self._tallies: dict[str, Tally] = {}
        self._gone = Tally()
        self._own = contextlib.AsyncExitStack()
        self._given = sandbox
        self._sandbox: Sandbox
        self._config = config
        self._emit = emit
        self._secrets_of = secrets_of
        self._pools: dict[str, Pool] = {}
        self._custom: dict[str, StartTransport] = {}
        self._spoken: dict[str, str] = {}  # by server that runs elsewhere: the transport found last
        self._logs: dict[str, RotatedFile] = {}
        self._starts = asyncio.Semaphore(max(config.runtime.starts_at_once, 1))
        self._news = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._leaving = False
        self.starts = StartLimit(rate_of(config.health), time.monotonic, emit)
        self._rules = rules_of(config.runtime, self.starts.turn)

    async def __aenter__(self) -> Self:
        if self._given is None:
            self._sandbox = await self._own.enter_async_context(Sandbox(await probe()))
        else:
            self._sandbox = self._given
        watching = idle.watch(lambda: tuple(self._pools.values()), self._news)
        self._timer = asyncio.get_running_loop().create_task(watching, name="idle times")
        self.resources.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leaving = True
        await self.resources.end()
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait([self._timer])
        try:
            await asyncio.gather(*(pool.stop("the daemon stops") for pool in self._pools.values()))
        finally:
            await self._own.aclose()

    def add(self, server: Server, custom: StartTransport | None = None) -> None:
        """Take a server under supervision, or take note of its new settings (they count from its next start).

        ``custom`` starts it, where its runtime is ``custom``.
        """
        if custom is not None:
            self._custom[server.name] = custom
        name, tenure = server.name, tenure_of(server, self._config.runtime)
        pool = self._pools.get(name)
        if pool is not None:
            pool.renew(server, tenure)
            self._news.set()
            return

        async def start(session: str, known_era: str | None) -> Instance:
            instance = await self._start(name, session, known_era)
            instance.connection.tally = self.tally(name)
            instance.connection.why_slow = functools.partial(self.resources.why_slow, name)
            return instance

        self._logs[name] = RotatedFile(self.log_path(name), self._config.runtime.log_bytes)
        listeners = Listeners(
            offered=lambda offer: self.on_offer(name, offer),
            compared=lambda offer: self.on_compared(name, offer),
            updated=lambda uri: self.on_updated(name, uri),
            asking=lambda: self.observe_stateful(name),
            said=lambda session, method, params: self.on_said(name, session, method, params),
            watched=set(),
        )
        self._pools[name] = Pool(server, tenure, start, self._rules, self._emit, listeners)

    async def remove(self, name: str) -> None:
        """Stop a server and forget it. Raises :class:`UnknownServer`."""
        await self._pool(name).stop("it was removed")
        self._pools.pop(name, None)
        self._spoken.pop(name, None)
        self._custom.pop(name, None)
        self._logs.pop(name, None)
        self._gone.calls += self._tallies.pop(name, Tally()).calls

    async def retire(self, name: str, reason: str) -> None:
        """Stop and forget a server once its calls in flight have ended, or had the time to."""
        await self._pool(name).drained(self._config.runtime.drain_seconds)
        await self.stop(name, reason)
        await self.remove(name)

    async def start(self, name: str) -> None:
        """Start a server and wait until it is ready; its failures so far are forgotten.

        Raises :class:`UnknownServer`, :class:`ServerDown`, :class:`Refused`, :class:`BadArgument`.
        """
        await self._startable(name).start(self._config.runtime.start_timeout_seconds + _QUEUE_SECONDS)

    async def stop(self, name: str, reason: str = "it was asked to") -> None:
        """Stop a server, all processes of it; a call starts it again. Raises :class:`UnknownServer`."""
        await self._pool(name).stop(reason)

    async def restart(self, name: str) -> None:
        """Stop a server and start it; see :meth:`start`."""
        await self._pool(name).stop("it is restarted")
        await self.start(name)

    def configure(self, config: Config) -> None:
        """Have other settings count from now on; what runs goes on as it was started, see :meth:`adapt`."""
        self._config, self._rules = config, rules_of(config.runtime, self.starts.turn)
        self.starts.configure(rate_of(config.health))
        self._starts = asyncio.Semaphore(max(config.runtime.starts_at_once, 1))
        for name, pool in self._pools.items():
            pool.govern(self._rules, tenure_of(pool.server, config.runtime))
            self._logs[name].limit = config.runtime.log_bytes
        self._news.set()

    def spec(self, server: Server, config: Config | None = None) -> ServerSpec:
        """Return how a server would be started, under the settings in force or others."""
        return spec_at_home(server, self._secrets_of(server.name), config or self._config)

    def adapt(self, name: str) -> bool:
        """Have what runs of a server take on the limits in force; false where it has to be started anew for them.

        Raises :class:`UnknownServer`.
        """
        pool = self._pool(name)
        return pool.adapt(self.spec(pool.server), self._config.runtime)

    async def change_over(
        self, name: str, reason: str, before: Before = nothing, patience: float | None = None
    ) -> None:
        """Start anew what runs: calls in flight may end first, for ``patience`` seconds; those that come wait.

        Raises :class:`UnknownServer`, what :meth:`start` raises when the new process does not come up, and what
        ``before`` (see :meth:`Unit.change_over`) raises where the old one stays.
        """
        pool = self._pool(name)
        patience = self._config.runtime.drain_seconds if patience is None else patience
        if await pool.change_over(reason, patience, before):
            await pool.shared.connection(self._config.runtime.start_timeout_seconds + _QUEUE_SECONDS)

    async def health(self, name: str, seconds: float = checkup.SECONDS, *, told: bool = True) -> Health:
        """Ask what runs of a server for a sign of life, within ``seconds``, and have it ``told``; nothing is started.

        Raises :class:`UnknownServer`.
        """
        health = await self._pool(name).health(seconds)
        if told:
            self._emit(HealthChecked(server=name, ok=health.ok, seconds=health.seconds, detail=health.detail))
        return health

    async def bulk(
        self, what: Bulk, names: Iterable[str] | None = None, at_once: int = bulk.AT_ONCE
    ) -> tuple[Result, ...]:
        """Start, stop, restart or ask many servers (``None``: all), at most ``at_once`` at a time, in their order.

        One that fails stops nobody: there is a result for each. Raises :class:`BadArgument` when their order goes
        round in a circle.
        """
        return await bulk.each(self.before(names, reverse=what == "stop"), self.deeds[what], at_once)

    def before(self, names: Iterable[str] | None = None, *, reverse: bool = False) -> dict[str, frozenset[str]]:
        """Return for each server (``None``: all) which others go before it; see :func:`order.waits`."""
        after = {name: pool.server.settings.after for name, pool in self._pools.items()}
        return order.waits(sorted(after) if names is None else names, after, reverse=reverse)

    @property
    def deeds(self) -> Mapping[Bulk, Callable[[str], Awaitable[str]]]:
        """What :meth:`bulk` can do with one server; each returns a clause about what it did."""
        return {"start": self._started, "stop": self._stopped, "restart": self._restarted, "health": self._healthy}

    async def _started(self, name: str) -> str:
        await self.start(name)
        return self._pool(name).shared.state.value

    async def _stopped(self, name: str) -> str:
        await self.stop(name)
        return self._pool(name).shared.state.value

    async def _restarted(self, name: str) -> str:
        await self.restart(name)
        return self._pool(name).shared.state.value

    async def _healthy(self, name: str) -> str:
        health = await self.health(name)
        if not health.ok:
            raise ServerDown(f"{name} is not well: {health.detail}")
        return health.detail

    def ready(self, name: str, session: str = "") -> Connection | None:
        """Return what :meth:`connection` would, if it can be had at once, or ``None``."""
        pool = self._pools.get(name)
        return None if pool is None else pool.ready(session)

    def load(self, name: str) -> int | None:
        """Return how many calls a server works on (0 where the next one starts it), ``None`` while it cannot answer."""
        return self._pools[name].load() if name in self._pools else None

    async def connection(self, name: str, timeout: float, session: str = "") -> Connection:
        """Return the open connection to a server, starting it if need be, within ``timeout`` seconds.

        ``session`` is the opaque key of the client that asks (empty: none in particular): a stateful server gets a
        process for each, any other one process for all. A server that waits for its restart is started at once; one
        that was given up is not. Ask again for each call: that is what a server's idle time is counted from.
        Raises what :meth:`start` raises, as soon as the start that is under way has failed, and :class:`Overloaded`
        when all processes that a server may have are busy for others.
        """
        return await self._startable(name).connection(timeout, session)

    def stateful(self, name: str) -> bool:
        """Return whether a server has a process for each session."""
        return name in self._pools and self._pools[name].tenure.stateful

    def sessions(self, name: str) -> Collection[str]:
        """Return the sessions that have a process of a server to themselves, now and whenever it is looked at."""
        return self._pool(name).sessions

    def end_session(self, session: str) -> None:
        """Begin to end every process that belongs to a session, calls in flight or not; idempotent."""
        for pool in self._pools.values():
            pool.end(session, "its session ended")

    def tell(self, session: str, method: str) -> None:
        """Send a notification without params to every process that works for ``session`` alone."""
        for pool in self._pools.values():
            pool.tell(session, method)

    def observe_stateful(self, name: str) -> None:
        """Take note that a server needs a process for each session, unless a person said whether it does.

        Raises :class:`UnknownServer`.
        """
        pool = self._pool(name)
        if pool.tenure.because == "default":
            self.add(msgspec.structs.replace(pool.server, observed_stateful=True))
            self._emit(ServerFoundStateful(server=name))
            self.on_stateful(name)

    def eager(self) -> tuple[str, ...]:
        """Return the names of the servers that start with the daemon, not with their first call."""
        return tuple(name for name, pool in self._pools.items() if not pool.tenure.lazy)

    def tenure(self, server: Server) -> Tenure:
        """Return for whom a server's processes are and how long they stay, whether it is supervised or not."""
        return tenure_of(server, self._config.runtime)

    def watch(self, name: str, uri: str) -> None:
        """Have a resource of a server watched, now and after each of its starts. Raises :class:`UnknownServer`."""
        self._pool(name).watch(uri)

    def unwatch(self, name: str, uri: str) -> None:
        """Have it watched no longer; idempotent, also for a server that is gone."""
        if name in self._pools:
            self._pools[name].unwatch(uri)

    def offer(self, name: str) -> Offer | None:
        """Return what a server offered last, or ``None``. Raises :class:`UnknownServer`."""
        return self._pool(name).offer

    def status(self, name: str) -> Status:
        """Return what is known about a server. Raises :class:`UnknownServer`."""
        return self._pool(name).status()

    def statuses(self) -> tuple[Status, ...]:
        """Return what is known about every server, by name."""
        return tuple(self._pools[name].status() for name in sorted(self._pools))

    def _cores(self, name: str) -> float:
        return cores_of(self._pools[name].server.settings, self._config) if name in self._pools else 0.0

    def tally(self, name: str) -> Tally:
        """Return the count of the calls that were made of a server."""
        return self._tallies.setdefault(name, Tally())

    @property
    def calls(self) -> int:
        """How many calls were made, of servers that are gone as well."""
        return self._gone.calls + sum(tally.calls for tally in self._tallies.values())

    def server(self, name: str) -> Server:
        """Return a server as it was added. Raises :class:`UnknownServer`."""
        return self._pool(name).server

    def log_path(self, name: str) -> Path:
        """Return where a server's log is."""
        return self._config.home / "logs" / f"{name}.log"

    async def _start(self, name: str, session: str, known_era: str | None) -> Instance:
        async with self._starts:
            spec = self.spec(self._pools[name].server)
            spec = msgspec.structs.replace(spec, known_era=known_era or spec.known_era, session=shortened(session))
            try:
                if name in self._custom:
                    return await open_custom(spec, self._custom[name], self._emit)
                if spec.url is None:
                    return await process.start(spec, self._sandbox, self._config.runtime, self._logs[name], self._emit)
                known = self._spoken.get(name, spec.known_transport)
                spec = msgspec.structs.replace(spec, known_transport=known, authorizer=self.authorizer_of(spec))
                instance = await remote.open_remote(spec, self._emit)
                self._spoken[name] = instance.transport
                return instance
            finally:
                self._news.set()

    def _startable(self, name: str) -> Pool:
        if self._leaving:
            raise ServerDown(f"{name} is not running: the daemon stops", "start the daemon again")
        pool = self._pool(name)
        barred.check(pool.server, self._config.policy)
        return pool

    def _pool(self, name: str) -> Pool:
        try:
            return self._pools[name]
        except KeyError:
            raise UnknownServer(f"no server is called {name}", "vsm-mcp list shows them") from None
