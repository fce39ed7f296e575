"""Processes of their own for sessions, their limits and their ends: real ones, in the real sandbox."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.world import World, call, gone, until
from tests.unit.wire.hearing import Hearing

from vsm_mcp.config import Config
from vsm_mcp.config import Runtime as Limits
from vsm_mcp.errors import Overloaded, ServerDown, TransportError
from vsm_mcp.events import GaveUp, ServerCrashed, ServerFoundStateful, ServerStarted, ServerStopped
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.server import ServerState
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.testing import curious

STATEFUL = Settings(stateful=True)
ONE, TWO, THREE = "11111111-aaaa", "22222222-bbbb", "33333333-cccc"


async def test_each_session_of_a_stateful_server_has_its_own_state(world: World) -> None:
    world.add("a", "--counter", settings=STATEFUL)
    assert [await world.ask("a", ONE, "count") for _ in range(3)] == ["1", "2", "3"]
    assert [await world.ask("a", TWO, "count") for _ in range(2)] == ["1", "2"]
    assert await world.ask("a", "", "count") == "1"
    assert await world.ask("a", ONE, "count") == "4"
    status = world.runtime.status("a")
    assert status.stateful
    assert status.pid == await world.pid("a") or status.state is ServerState.READY
    assert [(each.session, each.state) for each in status.instances] == [
        ("22222222…", ServerState.READY),
        ("11111111…", ServerState.READY),
    ]
    assert len({status.pid, *(each.pid for each in status.instances)}) == 3
    assert world.runtime.ready("a", TWO) is await world.runtime.connection("a", 1, TWO)
    assert world.runtime.ready("a", ONE) is not world.runtime.ready("a", TWO)
    assert [each.session for each in world.runtime.status("a").instances] == ["11111111…", "22222222…"]
    assert world.runtime.ready("a", THREE) is None
    assert world.runtime.ready("nobody") is None
    assert {event.session for event in world.of(ServerStarted)} == {"", "11111111…", "22222222…"}


async def test_sessions_of_any_other_server_share_its_process(world: World) -> None:
    world.add("a", "--counter")
    assert [await world.ask("a", session, "count") for session in (ONE, TWO, "")] == ["1", "2", "3"]
    assert world.runtime.status("a").instances == ()
    assert len(world.of(ServerStarted)) == 1


async def test_the_end_of_a_session_ends_its_process_and_its_state(world: World) -> None:
    world.add("a", "--counter", settings=STATEFUL)
    world.add("b", "--counter", settings=STATEFUL)
    pids = [await world.pid(name, ONE) for name in ("a", "b")]
    other = await world.pid("a", TWO)
    assert await world.ask("a", ONE, "count") == "1"
    slow = asyncio.ensure_future(world.ask("a", ONE, "slow", seconds=60))
    await until(lambda: world.runtime._pools["a"]._instances[ONE].busy)
    world.runtime.end_session(ONE)
    world.runtime.end_session(ONE)
    with pytest.raises(TransportError):
        await slow
    await until(lambda: all(map(gone, pids)))
    assert not gone(other)
    assert [each.session for each in world.runtime.status("a").instances] == ["22222222…"]
    assert await world.ask("a", ONE, "count") == "1"
    await until(lambda: len(world.of(ServerStopped)) == 2)
    assert {(event.server, event.session, event.reason) for event in world.of(ServerStopped)} == {
        (name, "11111111…", "its session ended") for name in ("a", "b")
    }


async def test_a_session_that_ends_while_its_process_starts_leaves_none(world: World) -> None:
    world.add("a", "--start-delay", "30", settings=STATEFUL)
    waiting = asyncio.ensure_future(world.ask("a", ONE, "pid"))
    await until(lambda: len(world.runtime.status("a").instances) == 1)
    world.runtime.end_session(ONE)
    with pytest.raises(ServerDown, match="its session ended"):
        await waiting
    assert world.runtime.status("a").instances == ()
    await until(lambda: not world.runtime._pools["a"]._leaving)
    assert world.of(ServerStarted) == []


async def test_at_the_limit_the_session_unused_longest_gives_way(world: World) -> None:
    world.add("a", "--counter", "--ignore-sigterm", "--ignore-eof", settings=STATEFUL)
    assert await world.ask("a", ONE, "count") == "1"
    second = await world.pid("a", TWO)
    assert await world.ask("a", ONE, "count") == "2"
    third = await world.pid("a", THREE)  # started when the second has ended, stubborn as that is
    assert gone(second)
    assert not gone(third)
    assert await world.ask("a", ONE, "count") == "3"
    assert [each.session for each in world.runtime.status("a").instances] == ["33333333…", "11111111…"]
    assert world.of(ServerStopped)[0].reason == "another session took its place"


async def test_when_every_process_is_busy_the_next_session_is_told_so(world: World) -> None:
    world.add("a", "--counter", settings=STATEFUL)
    assert [await world.ask("a", session, "count") for session in (ONE, TWO)] == ["1", "1"]
    slow = [asyncio.ensure_future(world.ask("a", session, "slow", seconds=60)) for session in (ONE, TWO)]
    await until(lambda: all(unit.busy for unit in world.runtime._pools["a"]._instances.values()))
    with pytest.raises(Overloaded, match="all 2 of its processes are busy") as caught:
        await world.runtime.connection("a", 15, THREE)
    assert (caught.value.code, caught.value.retryable) == ("overload", True)
    assert "instances_per_server" in caught.value.hint
    assert await world.ask("a", "", "count") == "1"  # the shared one is beside them
    slow[1].cancel()
    await asyncio.wait([slow[1]])
    assert await world.ask("a", THREE, "count") == "1"
    assert await world.ask("a", ONE, "count") == "2"
    slow[0].cancel()


async def test_a_process_that_starts_for_somebody_does_not_give_way(world: World) -> None:
    world.add("a", "--start-delay", "0.3", settings=STATEFUL)
    sessions = (ONE, TWO, THREE)
    answers = await asyncio.gather(*(world.pid("a", session) for session in sessions), return_exceptions=True)
    assert [isinstance(answer, Overloaded) for answer in answers] == [False, False, True]
    assert len(set(answers)) == 3


async def test_a_crash_in_one_session_does_not_disturb_another(world: World) -> None:
    world.add("a", "--counter", settings=STATEFUL)
    assert [await world.ask("a", session, "count") for session in (ONE, TWO, "")] == ["1", "1", "1"]
    with pytest.raises(TransportError):
        await world.ask("a", ONE, "crash")
    assert [await world.ask("a", session, "count") for session in (ONE, TWO, "")] == ["1", "2", "2"]
    (crashed,) = world.of(ServerCrashed)
    assert (crashed.server, crashed.session) == ("a", "11111111…")
    restarts = {each.session: each.restarts for each in world.runtime.status("a").instances}
    assert restarts == {"11111111…": 1, "22222222…": 0}
    assert "[11111111…] Fatal: the crash tool was called" in world.log("a")


async def test_a_session_whose_process_always_fails_is_given_up_alone(world: World) -> None:
    world.add("a", "--die-at-start", "Fatal: no such thing", settings=STATEFUL)
    for _ in range(3):
        with pytest.raises(ServerDown, match="Fatal: no such thing"):
            await world.runtime.connection("a", 15, ONE)
    (given_up,) = world.of(GaveUp)
    assert given_up.session == "11111111…"
    status = world.runtime.status("a")
    assert status.state is ServerState.STOPPED
    assert status.instances[0].state is ServerState.GAVE_UP
    assert "Fatal: no such thing" in status.instances[0].reason


async def test_a_session_is_not_listed_while_the_shared_process_is(world: World) -> None:
    world.add("a", settings=STATEFUL)
    await world.pid("a")
    await until(lambda: len(world.offers) == 1)
    shared = await world.pid("a")
    await world.pid("a", ONE)
    assert not world.runtime._pools["a"]._instances[ONE]._role.lists
    os.kill(shared, signal.SIGKILL)  # its successor lists: that comes after whatever the session's process might ask
    await until(lambda: len(world.offers) == 2)
    assert world.runtime.offer("a") == world.offers[0][1]


async def test_a_session_is_listed_once_where_nothing_else_runs(world: World) -> None:
    world.add("a", "--change-after", "1", settings=STATEFUL)
    await world.pid("a", ONE)
    await until(lambda: len(world.offers) == 1)
    await world.pid("a", ONE)
    assert world.runtime.status("a").state is ServerState.STOPPED
    unit = world.runtime._pools["a"]._instances[ONE]
    assert unit._instance is not None
    connection = unit._instance.connection
    await connection.request("tools/call", {"name": "pid", "arguments": {}}, timeout=30)  # its list changes by that
    await until(lambda: len(world.compared) == 1)
    assert len(world.offers) == 1  # what a session changes is that session's


@pytest.mark.parametrize("mode", ["legacy", "modern"])
async def test_what_is_idle_is_stopped_and_a_call_starts_it_again(world: World, mode: str) -> None:
    settings = Settings(stateful=True, idle_stop_seconds=0.3)
    world.add("a", "--counter", "--mode", mode, "--change-after", "1000", settings=settings)
    assert [await world.ask("a", session, "count") for session in ("", ONE)] == ["1", "1"]
    if mode == "modern":  # our own subscription to changes is no use of the server
        shared = world.runtime._pools["a"].shared._instance
        assert shared is not None
        await until(lambda: shared.connection.in_flight == 1)
    pids = [await world.pid("a", session) for session in ("", ONE)]
    await until(lambda: all(map(gone, pids)), 5)
    await until(lambda: {event.session for event in world.of(ServerStopped)} == {"", "11111111…"})
    status = world.runtime.status("a")
    assert (status.state, status.reason, status.instances) == (ServerState.STOPPED, "idle", ())
    assert {(event.session, event.reason) for event in world.of(ServerStopped)} == {("", "idle"), ("11111111…", "idle")}
    assert [await world.ask("a", session, "count") for session in ("", ONE)] == ["1", "1"]
    assert world.of(ServerCrashed) == []


async def test_a_call_counts_as_ended_when_that_is_seen_never_earlier(world: World) -> None:
    world.add("a")
    unit = world.runtime._pools["a"].shared
    slow = asyncio.ensure_future(world.ask("a", "", "slow", seconds=60))
    await until(lambda: unit.busy and len(world.offers) == 1)
    assert unit.quiet(1000.0) == 0
    slow.cancel()
    await until(lambda: not unit.busy)
    assert [unit.quiet(now) for now in (2000.0, 2500.0)] == [0, 500]
    await world.ask("a", "", "echo", text="x")  # begins and ends between two looks
    assert [unit.quiet(now) for now in (3000.0, 3100.0)] == [0, 100]


async def test_a_call_in_flight_keeps_a_process(world: World) -> None:
    for name in ("a", "b"):
        world.add(name, settings=Settings(stateful=True, idle_stop_seconds=0.2))
    pid = await world.pid("a", ONE)
    slow = asyncio.ensure_future(world.ask("a", ONE, "slow", seconds=60))
    for _ in range(2):
        other = await world.pid("b", ONE)
        await until(lambda pid=other: gone(pid))  # type: ignore[misc]
        assert not slow.done()
        assert not gone(pid)
    slow.cancel()
    await until(lambda: gone(pid))


@pytest.mark.parametrize("mode", ["legacy", "modern"])
async def test_a_watched_resource_keeps_a_process(world: World, mode: str) -> None:
    settings = Settings(idle_stop_seconds=0.2)
    world.add("a", "--mode", mode, settings=settings, program=Path(curious.__file__))
    world.add("b", settings=settings)
    watching = await world.pid("a")
    world.runtime.watch("a", "note://one")
    for _ in range(2):
        other = await world.pid("b")
        await until(lambda pid=other: gone(pid))  # type: ignore[misc]
        assert not gone(watching)
    world.runtime.unwatch("a", "note://one")
    await until(lambda: gone(watching))


@pytest.mark.parametrize("mode", ["legacy", "modern"])
async def test_a_watched_resource_is_watched_in_every_process(world: World, mode: str) -> None:
    world.add("a", "--mode", mode, settings=STATEFUL, program=Path(curious.__file__))
    updated: list[tuple[str, str]] = []
    world.runtime.on_updated = lambda name, uri: updated.append((name, uri))
    await world.pid("a", ONE)
    world.runtime.watch("a", "note://one")
    for session in (ONE, TWO, ""):
        updated.clear()
        async with asyncio.timeout(60):
            while not updated:  # the subscription takes effect a moment after it was asked for
                await world.ask("a", session, "touch", uri="note://one")
        assert set(updated) == {("a", "note://one")}
    assert not any(unit.busy for unit in world.runtime._pools["a"]._instances.values())
    assert await world.pid("a", THREE)  # so it keeps nobody from giving way
    world.runtime.unwatch("a", "note://one")
    world.runtime.unwatch("nobody", "note://one")


async def test_what_is_asked_while_several_clients_share_a_process_shows_that_it_is_stateful(world: World) -> None:
    world.add("a", program=Path(curious.__file__))
    connection = await world.runtime.connection("a", 15)
    asked = [
        asyncio.ensure_future(
            connection.request("tools/call", {"name": "stuck"}, timeout=60, dialogue=Hearing(client=client))
        )
        for client in (ONE, TWO)
    ]
    await until(lambda: bool(world.of(ServerFoundStateful)))
    assert world.runtime.status("a").stateful
    for each in asked:
        each.cancel()
    await asyncio.wait(asked)
    assert await world.pid("a", ONE) != await world.pid("a", TWO)


async def test_a_call_that_comes_while_its_process_is_stopped_gets_the_next_one(world: World) -> None:
    world.add("a", "--counter", "--ignore-sigterm", "--ignore-eof")
    assert await world.ask("a", "", "count") == "1"
    first = await world.pid("a")
    pool = world.runtime._pools["a"]
    pool._leave(pool.shared, "idle")
    assert world.runtime.status("a").pid == first
    second = await world.pid("a")  # at once, before its stop has had a turn
    assert gone(first)
    assert not gone(second)
    assert world.runtime.status("a").state is ServerState.READY
    assert [type(event) for event in world.events] == [ServerStarted, ServerStopped, ServerStarted]


async def test_a_second_stop_waits_for_the_first(world: World) -> None:
    world.add("a", "--ignore-sigterm", "--ignore-eof")
    pid = await world.pid("a")
    first = asyncio.ensure_future(world.runtime.stop("a"))
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(world.pid("a"))
    await asyncio.sleep(0)
    assert not gone(pid)
    await world.runtime.stop("a")
    assert gone(pid)
    assert first.done()
    with pytest.raises(ServerDown, match="it was asked to"):
        await waiting
    assert world.runtime.status("a").state is ServerState.STOPPED


async def test_a_server_seen_to_be_stateful_is_treated_so_unless_a_person_said_otherwise(world: World) -> None:
    found: list[str] = []
    world.runtime.on_stateful = found.append
    world.add("a", "--counter")
    world.add("b", "--counter", settings=Settings(stateful=False))
    assert await world.ask("a", ONE, "count") == "1"
    for name in ("a", "a", "b"):
        world.runtime.observe_stateful(name)
    assert found == ["a"]
    assert [event.server for event in world.of(ServerFoundStateful)] == ["a"]
    assert [await world.ask("a", session, "count") for session in (ONE, TWO, "")] == ["1", "1", "2"]
    assert [await world.ask("b", session, "count") for session in (ONE, TWO)] == ["1", "2"]


async def test_lazy_servers_do_not_start_with_the_daemon(world: World) -> None:
    world.add("a")
    world.add("b", settings=Settings(lazy=True))
    assert world.runtime.eager() == ("a",)


async def test_a_runtime_that_ends_leaves_no_process_and_starts_none(isolation: Any, tmp_path: Path) -> None:
    limits = Limits(stop_grace_seconds=0.3, starts_at_once=2)
    async with Sandbox(isolation) as sandbox:
        made = World(sandbox, Config(home=tmp_path, runtime=limits))
        async with made.runtime:
            made.add("a", "--ignore-sigterm", "--ignore-eof", settings=STATEFUL)
            sessions = ("", *(f"session-{number}" for number in range(5)))
            pids = await asyncio.gather(*(made.pid("a", session) for session in sessions))
            assert len(set(pids)) == 6
        assert all(map(gone, pids))
        with pytest.raises(ServerDown, match="the daemon stops"):
            await made.runtime.connection("a", 1, "late")


async def test_a_remote_server_gets_a_conversation_for_each_session(world: World) -> None:
    from vsm_mcp.testing import faulty_http

    async with faulty_http.serving() as (url, _):
        world.add("r", ref=url, settings=STATEFUL)
        first, second = [await world.runtime.connection("r", 15, session) for session in (ONE, TWO)]
        assert first is not second
        assert await call(first, "echo", text="far") == "echo:far"
        world.runtime.end_session(ONE)
        await until(first.closed.done)
        assert await call(second, "echo", text="still") == "echo:still"
        await world.runtime.stop("r")
