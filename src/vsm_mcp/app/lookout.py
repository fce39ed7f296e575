"""Looking out for servers: the sources that the settings name, asked for needs and kept fresh while the daemon runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp import plugins
from vsm_mcp.config import Config
from vsm_mcp.discovery import suiting
from vsm_mcp.discovery.engine import Discovered, Options, discover, rate
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.discovery.screen import clean
from vsm_mcp.discovery.source import Refreshing, Source, SourceState
from vsm_mcp.discovery.wiring import build_sources, matcher
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Emit, SourceAnswered, SourceRefreshed
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.discovery import Discovery
from vsm_mcp.model.server import Server

_POOL: Final = 100
_DETAIL: Final = 200
_LONGEST_SECONDS: Final = 1200.0
# Before the first search nothing is loaded for sources that have nothing to refresh.
_KEEP_NOTHING: Final = frozenset(Discovery().sources)


class Machine(Protocol):
    """What is needed of the machine."""

    async def web(self) -> Web:
        """The network as all sources share it."""


class Servers(Protocol):
    """The servers of a home, and what each offered last."""

    @property
    def servers(self) -> Mapping[str, Server]:
        """All servers by name."""

    def seen(self, name: str) -> Offer | None:
        """What a server offers, as far as it is known."""


class Standing(msgspec.Struct, kw_only=True):
    """How a source stands: its last answer to a need, and the last refresh of what it keeps; times since the epoch.

    ``state`` is empty where it was not asked yet.
    """

    state: str = ""
    count: int = 0
    detail: str = ""
    asked: float = 0.0
    refreshed: float = 0.0


class Lookout:
    """The sources of one home; they are built when they are first needed, and anew after a change of settings."""

    def __init__(self, config: Config, machine: Machine, fleet: Servers) -> None:
        self._config = config
        self._machine = machine
        self._fleet = fleet
        self._sources: list[Source] | None = None
        self._standing: dict[str, Standing] = {}
        self._changed = asyncio.Event()

    def configure(self, config: Config) -> None:
        """Have other settings count for the next question."""
        if config.discovery != self._config.discovery:
            self._sources, self._standing = None, {}
            self._changed.set()
        self._config = config

    async def discover(self, need: str, emit: Emit, limit: int = _POOL, *, offline: bool = False) -> Discovered:
        """Ask all sources for a need, with ``offline`` those that need no network.

        Raises :class:`ConfigError` for a source that cannot be built.
        """
        settings = self._config.discovery
        options = Options(
            limit=limit,
            timeout=settings.source_timeout_seconds,
            deadline=settings.deadline_seconds,
            offline=offline,
        )

        def heard(event: object) -> None:
            if isinstance(event, SourceAnswered):
                standing = self._of(event.source)
                standing.state, standing.count, standing.detail = event.state, event.count, event.detail
                standing.asked = time.time()
                emit(event)

        return await discover(need, await self.sources(), matcher(settings.semantic), options, heard)

    async def rated(self, need: str, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return candidates compared with a need once more, most relevant first. Works in a thread."""
        return await asyncio.to_thread(rate, need, candidates, matcher(self._config.discovery.semantic))

    async def with_nearest(self, need: str, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return candidates with their tool that comes nearest to a need. Works in a thread."""
        one = matcher(self._config.discovery.semantic)
        return await asyncio.to_thread(lambda: suiting.with_nearest(one.need(need), candidates))

    async def sources(self) -> list[Source]:
        """Return the sources that are asked. Raises :class:`ConfigError` for one that cannot be built."""
        web = await self._machine.web()
        if self._sources is None:
            self._sources = build_sources(self._config, self._installed, self._fleet.seen, web)
        return self._sources

    def report(self) -> list[dict[str, Any]]:
        """Return how every source stands that is installed, in the order they are asked; those not named are off."""
        named = self._config.discovery.sources
        rows = [{"source": name, "on": True, **msgspec.to_builtins(self._of(name))} for name in named]
        off = msgspec.to_builtins(Standing(state=SourceState.OFF))
        return rows + [{"source": name, "on": False, **off} for name in plugins.names("sources") if name not in named]

    async def refresh(self, emit: Emit) -> None:
        """Have the sources bring up to date what they keep on this machine, all at once.

        Once they all have, answers that nobody asked for in a month are forgotten. Raises :class:`VsmError` for a
        source that cannot be built, and never for what one does.
        """
        keeping = [source for source in await self.sources() if isinstance(source, Refreshing)]
        if all(await asyncio.gather(*(self._refresh(source, emit) for source in keeping))):
            await (await self._machine.web()).forget()

    async def _refresh(self, source: Refreshing, emit: Emit) -> bool:
        began, name, state = time.perf_counter(), clean(str(source.name), 60), SourceState.UNAVAILABLE
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                detail = await source.refresh()
            state = SourceState.OK
            self._of(name).refreshed = time.time()
        except VsmError as error:
            detail = error.message
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; it stays with it
            detail = f"{type(error).__name__}: {error}"
        seconds, detail = time.perf_counter() - began, clean(detail, _DETAIL)
        emit(SourceRefreshed(source=name, state=state, seconds=seconds, detail=detail))
        return state is SourceState.OK

    async def keep_fresh(self, emit: Emit) -> None:
        """Refresh now, every ``refresh_seconds``, and after a change of settings, for ever."""
        while True:
            self._changed.clear()
            settings = self._config.discovery
            if settings.refresh_seconds > 0 and set(settings.sources) - _KEEP_NOTHING:
                try:
                    await self.refresh(emit)
                except Exception as error:  # noqa: BLE001 - a source that cannot be built takes no daemon with it
                    emit(SourceRefreshed(source="", state=SourceState.UNAVAILABLE, seconds=0.0, detail=str(error)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.refresh_seconds or None):
                    await self._changed.wait()

    def _installed(self) -> Iterable[Server]:
        return self._fleet.servers.values()

    def _of(self, name: str) -> Standing:
        return self._standing.setdefault(name, Standing())


@contextlib.asynccontextmanager
async def keeping_fresh(lookout: Lookout, tasks: asyncio.TaskGroup, emit: Emit) -> AsyncIterator[None]:
    """Keep what sources have on this machine fresh, in a task of the daemon's, as long as the context lasts."""
    task = tasks.create_task(lookout.keep_fresh(emit), name="keep sources fresh")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
