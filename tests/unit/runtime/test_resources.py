from __future__ import annotations

import asyncio
import time

import pytest
from tests.unit.runtime.world import World

from vsm_mcp.runtime.resources import SHARE, pause


@pytest.mark.parametrize(
    ("cost", "seconds"), [(0.0, 5.0), (0.0005, 5.0), (0.001, 10.0), (0.004, 40.0), (0.1, 60.0), (9.0, 60.0)]
)
def test_who_has_much_to_look_at_looks_more_rarely(cost: float, seconds: float) -> None:
    assert pause(cost) == pytest.approx(seconds)
    assert cost / pause(cost) <= SHARE * 1.001 or seconds == 60.0


async def test_what_a_server_uses(world: World) -> None:
    world.add("a")
    resources = world.runtime.resources
    assert await resources.look_closely("a") is None
    await world.ask("a", "", "echo", text="x")
    await resources.look()
    first = resources.of("a")
    assert first is not None
    assert first.rss_bytes > 5_000_000
    assert first.processes >= 1
    assert first.threads >= first.processes
    assert first.pss_bytes is None
    assert first.cpu_share == 0.0
    usage = await resources.look_closely("a")
    assert usage is not None
    assert usage.pss_bytes is not None
    assert usage.pss_bytes > 0
    assert usage.sockets == 0
    assert usage.open_files is not None
    assert usage.open_files >= 3
    await resources.look()
    later = resources.of("a")
    assert later is not None
    assert later.pss_bytes == usage.pss_bytes  # kept until somebody asks again
    assert later.open_files == usage.open_files
    await world.runtime.stop("a")
    await resources.look()
    assert resources.of("a") is None


async def test_the_whole_tree_counts(world: World) -> None:
    world.add("one")
    world.add("two", "--double-fork")
    for name in ("one", "two"):
        await world.ask(name, "", "echo", text="x")
    one = await world.runtime.resources.look_closely("one")
    two = await world.runtime.resources.look_closely("two")
    assert one is not None
    assert two is not None
    assert two.processes > one.processes
    assert two.rss_bytes > one.rss_bytes


async def test_the_share_of_a_processor(world: World) -> None:
    world.add("a")
    await world.runtime.start("a")
    await world.runtime.resources.look()
    for _ in range(30):
        await world.ask("a", "", "big", bytes=900_000)
    await world.runtime.resources.look()
    usage = world.runtime.resources.of("a")
    assert usage is not None
    assert usage.cpu_share > 0.02
    assert usage.cpu_seconds > 0.05
    pid = await world.pid("a")
    await world.runtime.restart("a")
    assert await world.pid("a") != pid
    await world.runtime.resources.look()
    again = world.runtime.resources.of("a")
    assert again is not None
    assert again.cpu_share == 0.0  # another process: nothing to compare with


async def test_calls_are_counted_and_those_that_wait_are_seen(world: World) -> None:
    world.add("a")
    for _ in range(3):
        await world.ask("a", "", "echo", text="x")
    assert world.runtime.tally("a").calls == 3
    slow = asyncio.ensure_future(world.ask("a", "", "slow", seconds=0.3))
    async with asyncio.timeout(60):
        while world.runtime.status("a").in_flight != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await slow
    assert world.runtime.status("a").in_flight == 0
    waiting = asyncio.ensure_future(world.runtime.restart("a"))
    async with asyncio.timeout(60):
        while world.runtime.status("a").waiting != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await waiting
    await world.ask("a", "", "echo", text="x")
    assert world.runtime.tally("a").calls == 5  # of both processes
    await world.runtime.remove("a")
    assert world.runtime.calls == 5


async def test_looking_at_many_processes_is_cheap(world: World) -> None:
    world.add("a")
    await world.runtime.start("a")
    cost = min([await world.runtime.resources.look() for _ in range(3)])
    began = time.perf_counter()
    await world.runtime.resources.look()
    assert cost < 0.2
    assert time.perf_counter() - began < 2
