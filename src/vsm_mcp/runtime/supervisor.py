"""All servers of one home: one event loop owns their state, and whoever needs one gets its connection here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.errors import UnknownServer
from vsm_mcp.events import Emit
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import Server
from vsm_mcp.runtime import process, remote
from vsm_mcp.runtime.process import Instance
from vsm_mcp.runtime.restart import Limits
from vsm_mcp.runtime.spec import spec_of
from vsm_mcp.runtime.unit import Rules, Status, Unit
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.wire.connection import Connection

SecretsOf = Callable[[str], Mapping[str, str]]
OnOffer = Callable[[str, Offer], None]

_QUEUE_SECONDS: Final = 120.0


def _unheard(_name: str, _uri: str) -> None:
    """Drop the news of a resource."""


def _nobody(_name: str, _offer: Offer) -> None:
    """Drop an offer."""


class Runtime:
    """Starts, watches, restarts and stops servers. An async context manager: leaving it stops them all.

    ``secrets_of`` gives the secrets of a server by name; they are asked for at each start and kept nowhere.
    ``on_offer`` is called with what a server offers after each start and whenever it changes, ``on_updated`` with the
    URI of a watched resource that changed.
    """

    def __init__(self, sandbox: Sandbox, config: Config, emit: Emit, secrets_of: SecretsOf) -> None:
        self.on_offer: OnOffer = _nobody
        self.on_updated: Callable[[str, str], None] = _unheard
        self._sandbox = sandbox
        self._config = config
        self._emit = emit
        self._secrets_of = secrets_of
        self._units: dict[str, Unit] = {}
        self._servers: dict[str, Server] = {}
        self._starts = asyncio.Semaphore(max(config.runtime.starts_at_once, 1))
        settings = config.runtime
        self._rules = Rules(
            limits=Limits(count=settings.restart_limit, period=settings.restart_period_seconds),
            list_timeout=settings.request_timeout_seconds,
            jitter=random.random,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(unit.stop("the daemon stops") for unit in self._units.values()))

    def add(self, server: Server) -> None:
        """Take a server under supervision, or take note of its new settings (they count from its next start)."""
        name = server.name
        self._servers[name] = server
        if name not in self._units:

            async def start(known_era: str | None) -> Instance:
                return await self._start(name, known_era)

            unit = self._units[name] = Unit(name, start, self._rules, self._emit, self._offered)
            unit.on_news = (lambda uri: self.on_updated(name, uri), None)

    async def remove(self, name: str) -> None:
        """Stop a server and forget it. Raises :class:`UnknownServer`."""
        await self._unit(name).stop("it was removed")
        self._units.pop(name, None)
        self._servers.pop(name, None)

    async def start(self, name: str) -> None:
        """Start a server and wait until it is ready; its failures so far are forgotten.

        Raises :class:`UnknownServer`, :class:`ServerDown`, :class:`SandboxUnavailable`, :class:`BadArgument`.
        """
        unit = self._unit(name)
        unit.begin(afresh=True)
        await unit.connection(self._config.runtime.start_timeout_seconds + _QUEUE_SECONDS)

    async def stop(self, name: str) -> None:
        """Stop a server; a call starts it again. Raises :class:`UnknownServer`."""
        await self._unit(name).stop("it was asked to")

    async def restart(self, name: str) -> None:
        """Stop a server and start it; see :meth:`start`."""
        await self._unit(name).stop("it is restarted")
        await self.start(name)

    def ready(self, name: str) -> Connection | None:
        """Return the open connection to a server that runs, or ``None``."""
        unit = self._units.get(name)
        return None if unit is None else unit.ready

    async def connection(self, name: str, timeout: float) -> Connection:
        """Return the open connection to a server, starting it if need be, within ``timeout`` seconds.

        A server that waits for its restart is started at once; one that was given up is not. Raises what
        :meth:`start` raises, as soon as the start that is under way has failed.
        """
        return await self._unit(name).connection(timeout)

    def watch(self, name: str, uri: str) -> None:
        """Have a resource of a server watched, now and after each of its starts. Raises :class:`UnknownServer`."""
        self._unit(name).watch(uri)

    def unwatch(self, name: str, uri: str) -> None:
        """Have it watched no longer; idempotent, also for a server that is gone."""
        if name in self._units:
            self._units[name].unwatch(uri)

    def offer(self, name: str) -> Offer | None:
        """Return what a server offered last, or ``None``. Raises :class:`UnknownServer`."""
        return self._unit(name).offer

    def status(self, name: str) -> Status:
        """Return what is known about a server. Raises :class:`UnknownServer`."""
        return self._unit(name).status()

    def statuses(self) -> tuple[Status, ...]:
        """Return what is known about every server, by name."""
        return tuple(self._units[name].status() for name in sorted(self._units))

    def log_path(self, name: str) -> Path:
        """Return where a server's log is."""
        return self._config.home / "logs" / f"{name}.log"

    async def _start(self, name: str, known_era: str | None) -> Instance:
        async with self._starts:
            spec = spec_of(self._servers[name], self._secrets_of(name), self._config)
            spec = msgspec.structs.replace(spec, known_era=known_era or spec.known_era)
            if spec.url is not None:
                return await remote.open_remote(spec, self._emit)
            return await process.start(spec, self._sandbox, self._config.runtime, self.log_path(name), self._emit)

    def _offered(self, name: str, offer: Offer) -> None:
        self.on_offer(name, offer)

    def _unit(self, name: str) -> Unit:
        try:
            return self._units[name]
        except KeyError:
            raise UnknownServer(f"no server is called {name}", "vsm-mcp list shows them") from None
