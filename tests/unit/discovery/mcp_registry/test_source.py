from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.discovery.mcp_registry.replica import Replica, server
from tests.unit.discovery.network.hosts import FAULTS, QUICK, Host, serving, status, web_of

from vsm_mcp.discovery.mcp_registry.source import McpRegistrySource
from vsm_mcp.discovery.network.limits import Limits
from vsm_mcp.discovery.source import SourceOff, SourceState
from vsm_mcp.errors import SourceUnavailable
from vsm_mcp.matching.need import Counted, Reader
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.matching.taxonomy import Taxonomy

MATCHER = Matcher(Reader(Counted(1000, {"weather": 5, "forecast": 3, "spreadsheet": 9}), Taxonomy([])))
NEED = "weather forecasts"
ALWAYS = msgspec.structs.replace(QUICK, keep=-1.0)
"""Whatever is kept is too old."""


def weather(number: int, more: str = "") -> dict[str, Any]:
    return server(f"io.example/weather-{number}", f"weather forecasts {number}{more}")


@contextlib.asynccontextmanager
async def source(home: Path, *hosts: Host, limits: Limits = QUICK) -> AsyncIterator[McpRegistrySource]:
    async with web_of(home) as web:
        yield McpRegistrySource(MATCHER, web, tuple(host.address for host in hosts), limits)


async def refs(made: McpRegistrySource) -> list[str]:
    return sorted(str(each.ref) for each in await made.search(NEED, 50))


async def test_all_pages_are_read_and_the_need_goes_nowhere(tmp_path: Path) -> None:
    replica = Replica(*(weather(number) for number in range(5)), server("io.example/cells", "spreadsheets"))
    async with serving(replica) as host, source(tmp_path, host) as made:
        assert await refs(made) == [f"npm:weather-{number}" for number in range(5)]
        assert (made.state, made.detail, len(host.asked)) == (SourceState.OK, "", 3)
        assert await refs(made) == [f"npm:weather-{number}" for number in range(5)]
        assert len(host.asked) == 3
        assert not any("weather" in path or "forecast" in path for path in host.asked)


async def test_the_next_process_knows_it_without_asking(tmp_path: Path) -> None:
    async with serving(Replica(weather(1))) as host:
        async with source(tmp_path, host) as made:
            await made.search(NEED, 5)
        async with source(tmp_path, host) as made:
            (found,) = await made.search(NEED, 5)
    assert (found.registry_name, found.description, len(host.asked)) == (
        "io.example/weather-1",
        "weather forecasts 1",
        1,
    )


async def test_what_changed_since_is_asked_for_and_what_was_deleted_is_forgotten(tmp_path: Path) -> None:
    replica = Replica(weather(1), weather(2), weather(3))
    async with serving(replica) as host, source(tmp_path, host, limits=ALWAYS) as made:
        await made.search(NEED, 5)
        later = "2099-01-01T00:00:00Z"
        replica.put(weather(1), later, "deleted")
        replica.put(weather(2, ", better"), later)
        replica.put(weather(4), later)
        found = {str(each.ref): each.description for each in await made.search(NEED, 50)}
    assert "updated_since=" in host.asked[-1]
    assert found == {
        "npm:weather-2": "weather forecasts 2, better",
        "npm:weather-3": "weather forecasts 3",
        "npm:weather-4": "weather forecasts 4",
    }


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"stalled"}))
async def test_an_interrupted_walk_keeps_what_came_and_goes_on_from_there(fault: str, tmp_path: Path) -> None:
    replica = Replica(*(weather(number) for number in range(6)))
    replica.fault, replica.broken_after = FAULTS[fault], 1
    async with serving(replica) as host, source(tmp_path, host) as made:
        assert await refs(made) == ["npm:weather-0", "npm:weather-1"]
        assert made.state is SourceState.STALE
        assert made.detail.startswith("127.0.0.1")
    replica.fault, replica.broken_after = None, None
    if fault == "429":
        return  # it is left alone for an hour
    await _goes_on(replica, tmp_path)


async def test_a_walk_that_is_given_up_keeps_what_came_and_goes_on_from_there(tmp_path: Path) -> None:
    replica = Replica(*(weather(number) for number in range(6)))
    replica.fault, replica.broken_after = FAULTS["stalled"], 1
    async with serving(replica) as host, source(tmp_path, host) as made:
        search = asyncio.ensure_future(made.search(NEED, 50))
        await host.until_asked(2)
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search
    replica.fault = None
    await _goes_on(replica, tmp_path)


async def _goes_on(replica: Replica, home: Path) -> None:
    """The next process reads the rest, and the rest only."""
    async with serving(replica) as host, web_of(home) as web:
        made = McpRegistrySource(MATCHER, web, (host.address,), QUICK)
        await _moved(web, host.address)
        assert await refs(made) == [f"npm:weather-{number}" for number in range(6)]
        assert made.state is SourceState.OK
        assert "cursor=2" in host.asked[0]


async def _moved(web: Any, address: str) -> None:
    """The registry answers at another port now: let its copy be that of the new address."""
    rows = await web.cache._database.run(
        lambda connection: connection.execute("SELECT key, body FROM cache WHERE key LIKE 'mcp-registry %'").fetchall()
    )
    await web.cache.put(f"mcp-registry {address}", rows[0][1])


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failed_refresh_never_empties_what_was_known(fault: str, tmp_path: Path) -> None:
    replica = Replica(*(weather(number) for number in range(3)))
    async with serving(replica) as host, web_of(tmp_path) as web:
        await McpRegistrySource(MATCHER, web, (host.address,), ALWAYS).search(NEED, 5)
        replica.fault = FAULTS[fault]
        limits = msgspec.structs.replace(ALWAYS, timeout=0.3)
        made = McpRegistrySource(MATCHER, web, (host.address,), limits)
        assert await refs(made) == [f"npm:weather-{number}" for number in range(3)]
        assert made.state is SourceState.STALE
        assert made.detail


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_known_and_nobody_answers(fault: str, tmp_path: Path) -> None:
    limits = msgspec.structs.replace(QUICK, timeout=0.1)
    async with serving(FAULTS[fault]) as host, source(tmp_path, host, limits=limits) as made:
        with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1"):
            await made.search(NEED, 5)
        with pytest.raises(SourceUnavailable):
            await made.refresh()


async def test_a_walk_of_everything_forgets_what_is_no_longer_listed(tmp_path: Path) -> None:
    replica = Replica(weather(1), weather(2))
    async with serving(replica) as host, source(tmp_path, host, limits=ALWAYS) as made:
        await made.search(NEED, 5)
        copy = await made._registries[0].copy()
        copy.whole -= 8 * 86_400  # a week is over
        del replica.listed["io.example/weather-1"]
        assert await refs(made) == ["npm:weather-2"]


async def test_a_cursor_that_means_nothing_any_more_begins_anew(tmp_path: Path) -> None:
    replica = Replica(*(weather(number) for number in range(4)))
    async with serving(replica) as host, source(tmp_path, host) as made:
        (await made._registries[0].copy()).cursor = "gone"
        replica.fault, replica.broken_after = status(400), 0
        with pytest.raises(SourceUnavailable, match="400"):
            await made.search(NEED, 5)
        replica.fault = None
        assert len(await refs(made)) == 4
        assert "cursor=2" in host.asked[-1]


async def test_pages_in_a_circle_end(tmp_path: Path) -> None:
    async def circle(_host: Host, _request: Any) -> Any:
        from aiohttp import web as http

        return http.json_response({"servers": [], "metadata": {"next_cursor": "again"}})

    async with serving(circle) as host, source(tmp_path, host) as made:
        with pytest.raises(SourceUnavailable, match="circle"):
            await made.search(NEED, 5)
        assert len(host.asked) == 2


async def test_an_older_registry_and_one_beside_the_official_one(tmp_path: Path) -> None:
    old, other = Replica(weather(1), version="v0"), Replica(weather(2))
    async with serving(old) as first, serving(other) as second, source(tmp_path, first, second) as made:
        assert await refs(made) == ["npm:weather-1", "npm:weather-2"]
        assert await made.refresh() == "2 servers"


async def test_one_registry_that_is_away_leaves_the_others(tmp_path: Path) -> None:
    async with (
        serving(Replica(weather(1))) as first,
        serving(status(500)) as second,
        source(tmp_path, first, second) as made,
    ):
        assert await refs(made) == ["npm:weather-1"]
        assert (made.state, "500" in made.detail) == (SourceState.STALE, True)


async def test_no_registry_is_off(tmp_path: Path) -> None:
    async with source(tmp_path) as made:
        with pytest.raises(SourceOff):
            await made.search(NEED, 5)
