"""Many servers at once: by turns, in order, each with its own result."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.runtime.world import World, until

from vsm_mcp.errors import BadArgument, ServerDown
from vsm_mcp.events import HealthChecked, ServerStarted, ServerStopped
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime import bulk


def free(*names: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys(names, frozenset())


async def test_no_more_at_a_time_than_allowed_and_no_fewer() -> None:
    running, most = 0, 0
    full = asyncio.Event()

    async def act(_name: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            full.set()
        await full.wait()
        running -= 1
        return "done"

    async with asyncio.timeout(60):
        results = await bulk.each(free(*map(str, range(12))), act, at_once=3)
    assert most == 3
    assert [(result.name, result.ok, result.detail) for result in results] == [
        (str(n), True, "done") for n in range(12)
    ]


async def test_one_that_fails_stops_nobody_not_even_those_after_it() -> None:
    seen: list[str] = []

    async def act(name: str) -> str:
        seen.append(name)
        if name == "a":
            raise ServerDown("a is broken", "mend it")
        return ""

    results = await bulk.each({"b": frozenset("a"), "a": frozenset(), "c": frozenset("b")}, act, at_once=1)
    assert seen == ["a", "b", "c"]
    assert {result.name: result.ok for result in results} == {"a": False, "b": True, "c": True}
    assert (results[1].code, results[1].detail, results[1].hint) == ("server_down", "a is broken", "mend it")


async def test_who_is_cancelled_leaves_nothing_running() -> None:
    ended: list[str] = []

    async def act(name: str) -> str:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(name)
        return ""

    working = asyncio.ensure_future(bulk.each({"a": frozenset(), "b": frozenset("a")}, act))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working], timeout=5)
    assert ended == ["a"]
    assert len(asyncio.all_tasks()) == 1


async def test_servers_start_in_their_order_and_stop_the_other_way_round(world: World) -> None:
    world.add("a", settings=Settings(after=("b",)))
    world.add("b", settings=Settings(after=("c",)))
    world.add("c")
    world.add("d", "--die-at-start", "Fatal: no")
    results = await world.runtime.bulk("start")
    assert [(result.name, result.ok, result.detail) for result in results][:3] == [
        (name, True, "ready") for name in "abc"
    ]
    assert not results[3].ok
    assert "Fatal: no" in results[3].detail
    assert [event.server for event in world.of(ServerStarted)] == ["c", "b", "a"]
    await world.runtime.bulk("stop", ["a", "b", "c"])
    assert [event.server for event in world.of(ServerStopped)] == ["a", "b", "c"]
    assert {world.runtime.status(name).state for name in "abc"} == {ServerState.STOPPED}
    results = await world.runtime.bulk("restart", ["b", "nobody"])
    assert [(result.ok, result.code) for result in results] == [(True, ""), (False, "unknown_server")]


async def test_a_circle_is_named_before_anything_is_done(world: World) -> None:
    world.add("a", settings=Settings(after=("b",)))
    world.add("b", settings=Settings(after=("a",)))
    with pytest.raises(BadArgument, match="a comes after b comes after a"):
        await world.runtime.bulk("start")
    assert world.events == []


async def test_health_is_asked_of_what_runs_and_starts_nothing(world: World) -> None:
    world.add("a")
    world.add("b", "--mode", "modern")
    world.add("c", "--hang-on", "ping")
    world.add("d")
    for name in "abc":
        await world.runtime.connection(name, 15)
    found = {name: await world.runtime.health(name, 0.5) for name in "abcd"}
    assert {name: health.ok for name, health in found.items()} == {"a": True, "b": True, "c": False, "d": False}
    assert [found[name].detail for name in "abd"] == ["answers ping", "answers server/discover", "it is stopped"]
    assert "0.5 s" in found["c"].detail
    assert len(world.of(HealthChecked)) == 4
    results = await world.runtime.bulk("health", ["a", "d"])
    assert [(result.ok, result.code) for result in results] == [(True, ""), (False, "server_down")]
    await until(lambda: world.runtime.status("d").state is ServerState.STOPPED)
