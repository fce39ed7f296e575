"""Several processes that share the calls of one server: real ones, in the real sandbox."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.world import World, call, gone, until

from vsm_mcp.errors import Overloaded, ServerDown
from vsm_mcp.events import ServerCrashed, ServerStarted, ServerStopped
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime import replicas
from vsm_mcp.runtime.replicas import fewest
from vsm_mcp.runtime.status import PoolStatus
from vsm_mcp.wire.connection import Connection

loads_of = st.lists(st.none() | st.integers(0, 9), max_size=8)


def pool(world: World) -> PoolStatus:
    found = world.runtime.status("a").pool
    assert found is not None
    return found


async def all_ready(world: World, count: int) -> None:
    await until(lambda: pool(world).ready == count)


@given(loads_of, st.integers(0, 5))
def test_the_fewest_calls_get_one_more_and_never_too_many(loads: list[int | None], limit: int) -> None:
    chosen = fewest(loads, limit)
    running = [load for load in loads if load is not None and not (limit and load >= limit)]
    if chosen is None:
        assert running == []
    else:
        assert loads[chosen] == min(running)
        assert loads.index(loads[chosen]) == chosen


async def test_calls_go_to_the_process_with_the_fewest(world: World) -> None:
    world.add("a", settings=Settings(pool_size=3))
    await world.runtime.start("a")
    await all_ready(world, 3)
    assert len(set(pool(world).pids)) == 3
    pids = pool(world).pids
    asked: Counter[Connection] = Counter()
    slow = []
    for _ in range(6):
        connection = world.runtime.ready("a")
        assert connection is not None
        asked[connection] += 1
        slow.append(asyncio.ensure_future(call(connection, "slow", 30, seconds=60)))
        await asyncio.sleep(0)
    assert list(asked.values()) == [2, 2, 2]
    assert pool(world).calls == 6
    for each in slow:
        each.cancel()
    await asyncio.wait(slow)
    assert pool(world).calls == 0
    await until(lambda: len(world.offers) == 1)  # one of them tells what the server offers
    await world.runtime.stop("a")
    assert all(map(gone, pids))
    assert len(world.of(ServerStopped)) == 3


async def test_a_broken_one_is_replaced_and_the_others_go_on(world: World) -> None:
    world.add("a", settings=Settings(pool_size=2))
    await world.runtime.start("a")
    await all_ready(world, 2)
    first = world.runtime.status("a").pid
    assert first
    os.kill(first, signal.SIGKILL)
    await until(lambda: bool(world.of(ServerCrashed)))
    assert await world.ask("a", "", "echo", text="still here") == "echo:still here"
    await all_ready(world, 2)
    assert first not in pool(world).pids
    assert len(world.of(ServerStarted)) == 3


async def test_who_waits_is_served_in_order_and_counted(world: World) -> None:
    world.add("a", settings=Settings(calls_at_once=1, queue_limit=3))
    first = await world.runtime.connection("a", 15)
    slow = asyncio.ensure_future(call(first, "slow", 30, seconds=60))
    await until(lambda: first.calls == 1)
    assert world.runtime.ready("a") is None
    served: list[int] = []

    async def wait(number: int) -> None:
        connection = await world.runtime.connection("a", 15)
        answering = asyncio.ensure_future(call(connection, "echo", text=str(number)))
        served.append(number)
        await answering

    waiting = []
    for number in range(3):
        waiting.append(asyncio.ensure_future(wait(number)))
        await until(lambda: pool(world).waiting == len(waiting))
    with pytest.raises(Overloaded, match="3 calls wait"):
        await world.runtime.connection("a", 15)
    waiting[1].cancel()
    await asyncio.wait([waiting[1]])
    slow.cancel()
    await asyncio.wait([slow, *waiting])
    assert served == [0, 2]
    found = pool(world)
    assert (found.waiting, found.waited, found.refused, found.timed_out, found.calls) == (0, 3, 1, 0, 0)


async def test_newcomers_do_not_overtake(world: World) -> None:
    world.add("a", settings=Settings(calls_at_once=1))
    first = await world.runtime.connection("a", 15)
    slow = asyncio.ensure_future(call(first, "slow", 30, seconds=60))
    await until(lambda: first.calls == 1)
    waiting = asyncio.ensure_future(world.runtime.connection("a", 15))
    await until(lambda: pool(world).waiting == 1)
    serve, seen = world.runtime._pools["a"]._replicas._serve, []  # type: ignore[union-attr]

    def free_but_promised() -> None:
        serve()
        seen.append(world.runtime.ready("a"))

    first.on_fewer(free_but_promised)
    slow.cancel()
    assert await waiting is first
    assert seen[0] is None
    await until(lambda: world.runtime.ready("a") is first)  # what was promised was not used, and is free again


async def test_what_was_promised_to_one_who_left_is_the_next_ones(world: World) -> None:
    world.add("a", settings=Settings(calls_at_once=1))
    first = await world.runtime.connection("a", 15)
    slow = asyncio.ensure_future(call(first, "slow", 30, seconds=60))
    await until(lambda: first.calls == 1)
    waiting = []
    for number in (1, 2):
        waiting.append(asyncio.ensure_future(world.runtime.connection("a", 15)))
        await until(lambda number=number: pool(world).waiting == number)  # type: ignore[misc]
    serve = world.runtime._pools["a"]._replicas._serve  # type: ignore[union-attr]

    def promised() -> None:
        serve()
        waiting[0].cancel()

    first.on_fewer(promised)
    slow.cancel()
    assert await asyncio.wait_for(waiting[1], 60) is first
    assert waiting[0].cancelled()


async def test_nobody_waits_for_ever(world: World) -> None:
    world.add("a", settings=Settings(calls_at_once=1, queue_seconds=0.1))
    connection = await world.runtime.connection("a", 15)
    slow = asyncio.ensure_future(call(connection, "slow", 30, seconds=60))
    await until(lambda: connection.calls == 1)
    with pytest.raises(Overloaded, match=r"busy for 0\.1 s"):
        await world.runtime.connection("a", 15)
    assert pool(world).timed_out == 1
    slow.cancel()
    await asyncio.wait([slow])


async def test_one_more_is_started_when_all_are_full_and_ends_when_idle(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("a", settings=Settings(calls_at_once=1, max_overflow=1))
    first = await world.runtime.connection("a", 15)
    slow = asyncio.ensure_future(call(first, "slow", 30, seconds=60))
    await until(lambda: first.calls == 1)
    second = await world.runtime.connection("a", 15)
    assert second is not first
    assert (pool(world).overflow, pool(world).ready) == (1, 2)
    also = asyncio.ensure_future(call(second, "slow", 30, seconds=60))
    await until(lambda: second.calls == 1)
    third = asyncio.ensure_future(world.runtime.connection("a", 15))
    await until(lambda: pool(world).waiting == 1)
    assert len(world.of(ServerStarted)) == 2  # no more than one beyond the usual
    also.cancel()
    assert await third is second
    monkeypatch.setattr(replicas, "OVERFLOW_SECONDS", 0.0)
    for _ in range(2):  # the timer looks twice
        world.runtime._pools["a"].rest(asyncio.get_running_loop().time())
    await until(lambda: len(world.of(ServerStopped)) == 1)
    assert (pool(world).overflow, pool(world).ready) == (0, 1)
    assert first.calls == 1
    slow.cancel()
    await asyncio.wait([slow, also])


async def test_who_waits_is_told_when_it_is_stopped_and_served_when_it_broke(world: World) -> None:
    world.add("a", settings=Settings(calls_at_once=1))
    for broken in (True, False):
        connection = await world.runtime.connection("a", 15)
        slow = asyncio.ensure_future(call(connection, "slow", 30, seconds=60))
        await until(lambda: connection.calls == 1)  # noqa: B023 -- awaited at once
        waiting = asyncio.ensure_future(world.runtime.connection("a", 15))
        await until(lambda: pool(world).waiting == 1)
        if broken:
            pid = world.runtime.status("a").pid
            assert pid
            os.kill(pid, signal.SIGKILL)
            assert await waiting is not connection
        else:
            await world.runtime.stop("a")
            with pytest.raises(ServerDown, match="it was asked to"):
                await waiting
        await asyncio.wait([slow])
        assert slow.exception() is not None
    assert world.runtime.status("a").state is ServerState.STOPPED


async def test_calls_that_come_during_the_start_are_no_more_than_fit(world: World) -> None:
    world.add("a", "--start-delay", "0.3", settings=Settings(calls_at_once=2, pool_size=2))
    most = 0

    async def ask() -> object:
        nonlocal most
        connection = await world.runtime.connection("a", 15)
        params = {"name": "slow", "arguments": {"seconds": 0.02}}
        begun = connection.begin("tools/call", params, timeout=15)
        most = max(most, connection.calls)
        return await begun.answer()

    await asyncio.gather(*(ask() for _ in range(12)))
    assert most <= 2
    assert pool(world).waited > 0


async def test_the_number_can_change_while_it_runs(world: World) -> None:
    world.add("a", settings=Settings(pool_size=2))
    await world.runtime.start("a")
    await all_ready(world, 2)
    world.add("a")
    assert world.runtime.status("a").pool is None
    await until(lambda: len(world.of(ServerStopped)) == 1)
    assert world.runtime.ready("a") is not None
    world.add("a", settings=Settings(pool_size=3))
    await world.runtime.start("a")
    await all_ready(world, 3)
