from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.discovery.mcp_registry.replica import Replica, server
from tests.unit.discovery.network.hosts import FAULTS, Host, serving, web_of

from vsm_mcp.app.lookout import Lookout, keeping_fresh
from vsm_mcp.config import Config
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.errors import ConfigError
from vsm_mcp.events import Event, SourceAnswered, SourceRefreshed
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.discovery import Discovery, GitHub, McpRegistry
from vsm_mcp.model.server import Server

BOTH = ("mcp-registry", "catalogue")
WEATHER = server("io.example/weather", "weather forecasts")


class Here:
    """The one part of the machine that a lookout needs, and a fleet without servers."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self.servers: dict[str, Server] = {}

    async def web(self) -> Web:
        return self._web

    def seen(self, name: str) -> Offer | None:
        return None


def settings(home: Path, host: Host, *sources: str, **more: Any) -> Config:
    registry = McpRegistry(urls=(host.address,))
    given = {"sources": sources, "mcp_registry": registry, "source_timeout_seconds": 60.0, "deadline_seconds": 60.0}
    return Config(home=home, discovery=Discovery(**{**given, **more}))


@contextlib.asynccontextmanager
async def lookout(home: Path, config: Config) -> AsyncIterator[Lookout]:
    async with web_of(home) as web:
        here = Here(web)
        yield Lookout(config, here, here)


def row(made: Lookout, name: str) -> dict[str, Any]:
    return next(each for each in made.report() if each["source"] == name)


async def test_how_sources_stand(tmp_path: Path) -> None:
    async with serving(Replica(WEATHER)) as host, lookout(tmp_path, settings(tmp_path, host, *BOTH)) as made:
        assert [each["source"] for each in made.report()][:2] == ["mcp-registry", "catalogue"]
        assert (row(made, "mcp-registry")["state"], row(made, "github")["state"]) == ("", "off")
        events: list[Event] = []
        found = await made.discover("weather forecasts", events.append)
        assert "npm:weather" in [str(each.ref) for each in found.candidates]
        assert {each.source for each in events if isinstance(each, SourceAnswered)} == {"mcp-registry", "catalogue"}
        assert (row(made, "mcp-registry")["state"], row(made, "mcp-registry")["count"]) == ("ok", 1)
        assert row(made, "mcp-registry")["asked"] > 0


async def test_sources_last_until_the_settings_change(tmp_path: Path) -> None:
    async with serving(Replica(WEATHER)) as host:
        config = settings(tmp_path, host, "catalogue")
        async with lookout(tmp_path, config) as made:
            first = await made.sources()
            made.configure(Config(home=tmp_path, discovery=config.discovery))
            assert await made.sources() is first
            made.configure(settings(tmp_path, host, "mcp-registry"))
            assert [source.name for source in await made.sources()] == ["mcp-registry"]


async def test_a_change_of_settings_refreshes_at_once(tmp_path: Path) -> None:
    async with (
        serving(Replica(WEATHER)) as host,
        lookout(tmp_path, settings(tmp_path, host, "catalogue")) as made,
        asyncio.TaskGroup() as tasks,
        keeping_fresh(made, tasks, lambda _event: None),
    ):
        made.configure(settings(tmp_path, host, "mcp-registry"))
        await host.until_asked(1)


async def test_it_is_refreshed_again_and_again_and_a_failure_is_only_said(tmp_path: Path) -> None:
    events: asyncio.Queue[Event] = asyncio.Queue()
    async with serving(Replica(WEATHER)) as host:
        config = settings(tmp_path, host, "mcp-registry", refresh_seconds=0.01, pause_seconds=0.001)
        async with (
            lookout(tmp_path, config) as made,
            asyncio.TaskGroup() as tasks,
            keeping_fresh(made, tasks, events.put_nowait),
        ):
            first, second = await _next(events), await _next(events)
            assert (first.state, first.detail, second.state) == ("ok", "1 server", "ok")
            host.handler = FAULTS["500"]
            while (said := await _next(events)).state == "ok":
                pass
            assert "500" in said.detail
            assert row(made, "mcp-registry")["refreshed"] > 0


async def _next(events: asyncio.Queue[Event]) -> SourceRefreshed:
    async with asyncio.timeout(30):
        event = await events.get()
    assert isinstance(event, SourceRefreshed)
    return event


@pytest.mark.parametrize("more", [{"refresh_seconds": 0.0}, {"sources": Discovery().sources}])
async def test_nothing_is_loaded_where_there_is_nothing_to_refresh(more: dict[str, Any], tmp_path: Path) -> None:
    async with serving(Replica(WEATHER)) as host:
        config = settings(tmp_path, host, "mcp-registry", **more)
        async with (
            lookout(tmp_path, config) as made,
            asyncio.TaskGroup() as tasks,
            keeping_fresh(made, tasks, lambda _event: None),
        ):
            await asyncio.sleep(0)
            assert made._sources is None


async def test_a_source_that_cannot_be_built_takes_no_daemon_with_it(tmp_path: Path) -> None:
    events: asyncio.Queue[Event] = asyncio.Queue()
    async with serving(Replica(WEATHER)) as host:
        config = settings(tmp_path, host, "github", github=GitHub(token="ghp_s3cret"))
        async with (
            lookout(tmp_path, config) as made,
            asyncio.TaskGroup() as tasks,
            keeping_fresh(made, tasks, events.put_nowait),
        ):
            said = await _next(events)
            assert (said.state, "[discovery.github] token" in said.detail) == ("unavailable", True)
            assert "s3cret" not in said.detail
            with pytest.raises(ConfigError):
                await made.discover("weather", lambda _event: None)
