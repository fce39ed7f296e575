"""Supervision of real processes: a faulty server in the real sandbox."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.world import SECRET, World, call, gone, until

from vsm_mcp.config import Config
from vsm_mcp.config import Runtime as Limits
from vsm_mcp.config import Sandbox as Bounds
from vsm_mcp.errors import BadArgument, RequestTimeout, ServerDown, TransportError, UnknownServer
from vsm_mcp.events import (
    GaveUp,
    HealthChecked,
    RestartsHeld,
    ServerCrashed,
    ServerStarted,
    ServerStopped,
    ToolsChanged,
)
from vsm_mcp.health.remedies.hard_restart import killed
from vsm_mcp.health.remedies.soft_restart import asked
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.launch import RestartPolicy, Settings
from vsm_mcp.model.server import ServerState
from vsm_mcp.policy.bucket import Rate
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.wire.connection import Connection


async def test_a_call_starts_the_server_and_stop_ends_it(world: World) -> None:
    world.add("a")
    assert world.runtime.status("a").state is ServerState.STOPPED
    connection = await world.runtime.connection("a", 15)
    assert await call(connection, "echo", text="hello") == "echo:hello"
    status = world.runtime.status("a")
    assert status.state is ServerState.READY
    assert status.tier == world.runtime._sandbox.isolation.tier.value
    assert status.pid is not None
    assert b"faulty" in Path(f"/proc/{status.pid}/cmdline").read_bytes()
    assert await world.runtime.connection("a", 1) is connection
    await until(lambda: bool(world.offers))
    assert "echo" in {item.name for item in world.offers[0][1].of(ItemKind.TOOL)}
    await world.runtime.stop("a")
    assert gone(status.pid)
    assert world.runtime.status("a").state is ServerState.STOPPED
    assert [type(event) for event in world.events] == [ServerStarted, ServerStopped]
    with pytest.raises(TransportError):
        await call(connection, "echo", text="late")


async def test_server_is_held_to_its_share_of_the_cpu_once_it_is_up(world: World) -> None:
    layout = world.runtime._sandbox.isolation.cgroup
    if layout is None or not layout.cpu:
        pytest.skip("no control group for CPU can be written here")
    world.add("held")
    await world.runtime.connection("held", 15)
    name = "cpu.max" if layout.version == 2 else "cpu.cfs_quota_us"
    (file,) = Path(layout.cpu).glob(f"vsm-mcp.{os.getpid()}.*/held-*/{name}")
    assert file.read_text().split()[0] == str(round(world.config.sandbox.cpus * 100_000))


async def test_unknown_server(world: World) -> None:
    for attempt in (world.runtime.stop("x"), world.runtime.connection("x", 1), world.runtime.remove("x")):
        with pytest.raises(UnknownServer):
            await attempt


async def test_secrets_reach_the_server_but_no_log(world: World) -> None:
    world.add("a", "--die-on", "never", settings=Settings(args=()))
    connection = await world.runtime.connection("a", 15)
    assert await call(connection, "env", name="TOKEN") == SECRET
    world.add("b", "--die-at-start", f"Error: bad token {SECRET}")
    with pytest.raises(ServerDown) as caught:
        await world.runtime.connection("b", 15)
    assert SECRET not in f"{caught.value.message} {caught.value.hint} {caught.value.cause}"
    assert SECRET not in str(world.runtime.status("b"))
    assert SECRET not in str(world.events)
    assert world.log("b").startswith("Error: bad token ***")


async def test_crash_is_told_and_mended(world: World) -> None:
    world.add("a")
    connection = await world.runtime.connection("a", 15)
    with pytest.raises(TransportError):
        await call(connection, "crash")
    again = await world.runtime.connection("a", 15)
    assert again is not connection
    assert await call(again, "echo", text="back") == "echo:back"
    assert world.runtime.status("a").restarts == 1
    assert "exited with code 1" in world.of(ServerCrashed)[0].reason
    assert "crash" in world.log("a")


async def test_killed_server_comes_back_by_itself(world: World) -> None:
    world.add("a")
    await world.runtime.start("a")
    pid = world.runtime.status("a").pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: len(world.of(ServerStarted)) == 2)
    assert "SIGKILL" in world.of(ServerCrashed)[0].reason
    assert gone(pid)


async def test_server_that_always_fails_is_given_up(world: World) -> None:
    world.add("a", "--die-at-start", "Fatal: no such thing")
    for _ in range(2):
        with pytest.raises(ServerDown, match="a did not start"):
            await world.runtime.connection("a", 15)
        assert world.runtime.status("a").state is ServerState.FAILED
    with pytest.raises(ServerDown):
        await world.runtime.connection("a", 15)
    status = world.runtime.status("a")
    assert status.state is ServerState.GAVE_UP
    assert "Fatal: no such thing" in status.stderr_tail
    assert len(world.of(GaveUp)) == 1
    with pytest.raises(ServerDown, match=r"given up.*Fatal: no such thing"):
        await world.runtime.connection("a", 15)
    with pytest.raises(ServerDown):  # a person may insist
        await world.runtime.start("a")
    assert world.runtime.status("a").state is ServerState.FAILED


async def test_missing_variable_is_named(world: World) -> None:
    world.add("a", "--require-env", "SOME_API_KEY")
    with pytest.raises(ServerDown, match="SOME_API_KEY") as caught:
        await world.runtime.start("a")
    assert caught.value.cause.code == "missing_env"
    assert "--secret" in caught.value.hint


async def test_wrong_path_is_not_tried_again(world: World) -> None:
    world.add("a", settings=Settings(paths=(("/not/there", False),)))
    with pytest.raises(BadArgument, match="/not/there"):
        await world.runtime.start("a")
    assert world.runtime.status("a").state is ServerState.GAVE_UP


@pytest.mark.parametrize("said", ["", "Error: API_KEY is not set, input_value='server/discover'"])
async def test_server_that_dies_of_the_modern_question_is_asked_the_old_way(world: World, said: str) -> None:
    world.add("a", "--die-on", "server/discover", "--last-words", said)
    await world.runtime.start("a")
    assert world.runtime.status("a").era == "legacy"
    assert len(world.of(ServerStarted)) == 1
    assert world.of(ServerCrashed) == []


@pytest.mark.slow
async def test_hung_crashing_and_flooding_servers_cost_the_others_nothing(world: World) -> None:
    world.add("good")
    world.add("hung", "--hang-on", "tools/call")
    world.add("flood", "--flood-stderr", "30")
    world.add("crash", "--die-at-start", "no")
    good = await world.runtime.connection("good", 15)
    hung = await world.runtime.connection("hung", 15)
    others = [
        asyncio.ensure_future(world.runtime.connection("flood", 15)),
        asyncio.ensure_future(world.runtime.connection("crash", 15)),
        asyncio.ensure_future(call(hung, "echo", within=1, text="x")),
    ]
    loop = asyncio.get_running_loop()
    slowest = 0.0
    for _ in range(100):
        began = loop.time()
        assert await call(good, "echo", text="y") == "echo:y"
        slowest = max(slowest, loop.time() - began)
        await asyncio.sleep(0.005)
    flood, crash, late = await asyncio.gather(*others, return_exceptions=True)
    assert slowest < 0.25
    assert isinstance(crash, ServerDown)
    assert isinstance(late, RequestTimeout)
    assert isinstance(flood, (Connection, ServerDown))
    assert world.runtime.log_path("flood").stat().st_size <= 100_000


async def test_stubborn_server_is_stopped(world: World) -> None:
    world.add("a", "--ignore-sigterm", "--ignore-eof", "--double-fork")
    await world.runtime.start("a")
    instance = world.runtime._pools["a"].shared._instance
    assert instance is not None
    pids = instance.processes()  # type: ignore[attr-defined]
    assert len(pids) >= 2
    began = asyncio.get_running_loop().time()
    await world.runtime.stop("a")
    assert all(gone(pid) for pid in pids)
    assert asyncio.get_running_loop().time() - began < 3


async def test_too_long_a_line_ends_the_connection_and_the_process(world: World) -> None:
    world.add("a")
    connection = await world.runtime.connection("a", 15)
    pid = world.runtime.status("a").pid
    assert pid
    with pytest.raises(TransportError, match="1000000"):
        await call(connection, "big", bytes=3_000_000)
    assert await call(await world.runtime.connection("a", 15), "echo", text="x") == "echo:x"
    assert gone(pid)


async def test_changed_list_is_offered_again(world: World) -> None:
    world.add("a", "--change-after", "1")
    connection = await world.runtime.connection("a", 15)
    await until(lambda: len(world.offers) == 1)
    await call(connection, "echo", text="x")
    await until(lambda: len(world.offers) == 2)
    assert world.offers[0] != world.offers[1]
    await until(lambda: len(world.of(ToolsChanged)) == 1)


async def test_cancelled_waiter_does_not_hurt_the_others(world: World) -> None:
    world.add("a", "--start-delay", "0.3")
    first = asyncio.ensure_future(world.runtime.connection("a", 15))
    second = asyncio.ensure_future(world.runtime.connection("a", 15))
    await asyncio.sleep(0)
    first.cancel()
    assert await call(await second, "echo", text="x") == "echo:x"
    with pytest.raises(ServerDown, match="not ready within"):
        world.add("slow", "--start-delay", "5")
        await world.runtime.connection("slow", 0.05)


async def test_stop_while_starting(world: World) -> None:
    world.add("a", "--start-delay", "30")
    waiting = asyncio.ensure_future(world.runtime.connection("a", 15))
    await until(lambda: world.runtime.status("a").state is ServerState.STARTING)
    await asyncio.sleep(0.2)
    await world.runtime.stop("a")
    with pytest.raises(ServerDown, match="stopped"):
        await waiting
    assert world.of(ServerStarted) == []


async def test_restart_and_remove(world: World) -> None:
    world.add("a")
    await world.runtime.start("a")
    first = world.runtime.status("a").pid
    await world.runtime.restart("a")
    second = world.runtime.status("a").pid
    assert first
    assert second
    assert first != second
    await world.runtime.remove("a")
    assert gone(first)
    assert gone(second)
    assert world.runtime.statuses() == ()


async def test_all_are_stopped_in_parallel(isolation: Any, tmp_path: Path) -> None:
    async with Sandbox(isolation) as sandbox:
        made = World(sandbox, Config(home=tmp_path, runtime=Limits(stop_grace_seconds=1.0)))
        async with made.runtime:
            for number in range(4):
                made.add(f"s{number}", "--ignore-sigterm", "--ignore-eof")
            await asyncio.gather(*(made.runtime.start(f"s{number}") for number in range(4)))
            pids = [status.pid for status in made.runtime.statuses()]
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 4
        assert all(pid and gone(pid) for pid in pids)


async def test_remote_server(world: World) -> None:
    from vsm_mcp.testing import faulty_http

    async with faulty_http.serving() as (url, _):
        world.add("r", ref=url)
        connection = await world.runtime.connection("r", 15)
        assert await call(connection, "echo", text="far") == "echo:far"
        assert world.runtime.status("r").tier == "remote"
        assert world.runtime.status("r").pid is None
        await world.runtime.stop("r")
    world.add("gone", ref=url)
    with pytest.raises(ServerDown, match="gone cannot be reached"):
        await world.runtime.start("gone")


async def test_how_a_server_ended_last_stays_known_after_its_restart(world: World) -> None:
    world.add("a", "--exit-code", "7")
    connection = await world.runtime.connection("a", 15)
    before = time.time()
    with pytest.raises(TransportError):
        await call(connection, "crash")
    await world.runtime.connection("a", 15)
    status = world.runtime.status("a")
    assert status.state is ServerState.READY
    assert status.crash is not None
    assert (status.crash.exit_code, status.crash.signal, status.crash.ready) == (7, "", True)
    assert (status.crash.reason, status.crash.oom) == ("exited with code 7", False)
    assert status.crash.stderr[-1] == "Fatal: the crash tool was called"
    assert before <= status.crash.at <= time.time()
    assert status.pid
    os.kill(status.pid, signal.SIGKILL)
    await until(lambda: world.runtime.status("a").crash != status.crash)
    again = world.runtime.status("a").crash
    assert again is not None
    assert (again.signal, again.exit_code) == ("SIGKILL", None)


async def test_that_a_server_ran_out_of_memory_is_kept(isolation: Any, tmp_path: Path) -> None:
    if isolation.tier is not Tier.FULL:
        pytest.skip(f"no memory limit that the kernel keeps here: {isolation.reasons}")
    async with Sandbox(isolation) as sandbox:
        config = Config(home=tmp_path, sandbox=Bounds(memory_bytes=64 * 1024 * 1024))
        world = World(sandbox, config)
        async with world.runtime:
            world.add("a")
            with pytest.raises(TransportError):
                await call(await world.runtime.connection("a", 15), "big", bytes=512 * 1024 * 1024)
            await until(lambda: world.runtime.status("a").crash is not None)
            crash = world.runtime.status("a").crash
    assert crash is not None
    assert (crash.oom, crash.signal) == (True, "SIGKILL")
    assert crash.reason == "was killed by SIGKILL (out of memory)"


async def test_why_a_server_never_came_up_is_kept(world: World) -> None:
    world.add("a", "--require-env", "SOME_API_KEY", "--exit-code", "3")
    with pytest.raises(ServerDown):
        await world.runtime.start("a")
    crash = world.runtime.status("a").crash
    assert crash is not None
    assert (crash.ready, crash.cause, crash.exit_code) == (False, "missing_env", 3)
    assert "SOME_API_KEY" in "".join(crash.stderr)


@pytest.mark.parametrize(
    ("policy", "code", "state"),
    [
        (RestartPolicy.TRANSIENT, "0", ServerState.STOPPED),
        (RestartPolicy.TEMPORARY, "0", ServerState.STOPPED),
        (RestartPolicy.TEMPORARY, "1", ServerState.FAILED),
    ],
)
async def test_a_server_that_its_policy_leaves_down_comes_back_when_it_is_called(
    world: World, policy: RestartPolicy, code: str, state: ServerState
) -> None:
    world.add("a", "--exit-code", code, settings=Settings(restart=policy))
    with pytest.raises(TransportError):
        await call(await world.runtime.connection("a", 15), "crash")
    await until(lambda: world.runtime.status("a").state is state)
    status = world.runtime.status("a")
    assert policy.value in status.reason
    assert (status.pid, status.restarts) == (None, 0)
    task = world.runtime._pools["a"].shared._task
    assert task is not None
    await until(task.done)
    await world.runtime.stop("a")  # there is nothing to stop, so nothing is said
    assert world.of(ServerStopped) == []
    assert await world.ask("a", "", "echo", text="again") == "echo:again"
    assert world.of(GaveUp) == []


async def test_a_transient_server_that_crashed_is_restarted(world: World) -> None:
    world.add("a", "--exit-code", "1", settings=Settings(restart=RestartPolicy.TRANSIENT))
    with pytest.raises(TransportError):
        await call(await world.runtime.connection("a", 15), "crash")
    await until(lambda: len(world.of(ServerStarted)) == 2)


async def test_a_process_that_is_asked_to_end_is_no_crash(world: World) -> None:
    world.add("a")
    await world.runtime.start("a")
    before = world.runtime.status("a").pid
    await world.runtime.change_over("a", "to mend it", asked)
    status = world.runtime.status("a")
    assert status.state is ServerState.READY
    assert before
    assert status.pid != before
    assert gone(before)
    assert (world.of(ServerCrashed), status.crash) == ([], None)


async def test_one_that_refuses_stays_as_it_is_and_is_killed_only_then(world: World) -> None:
    world.add("a", "--ignore-sigterm")
    await world.runtime.start("a")
    before = world.runtime.status("a").pid
    assert before
    with pytest.raises(ServerDown, match="does not end"):
        await world.runtime.change_over("a", "to mend it", asked)
    assert world.runtime.status("a").pid == before
    assert await call(await world.runtime.connection("a", 5), "echo", text="here") == "echo:here"
    await world.runtime.change_over("a", "to mend it", killed, 0.0)
    assert gone(before)
    assert world.runtime.status("a").state is ServerState.READY
    assert world.of(ServerCrashed) == []


async def test_our_own_question_is_no_use_of_a_server(world: World) -> None:
    world.add("a")
    await world.runtime.start("a")
    assert (await world.runtime.health("a", told=False)).ok
    assert world.runtime.calls == 0
    assert world.of(HealthChecked) == []
    assert (await world.runtime.health("a")).ok
    assert len(world.of(HealthChecked)) == 1


async def test_restarts_of_the_fleet_wait_for_their_turn(world: World) -> None:
    limit = world.runtime.starts
    world.add("a")
    await world.runtime.start("a")
    limit.configure(Rate(per_minute=1, burst=1))
    assert limit.free()
    assert not limit.free()
    pid = world.runtime.status("a").pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: limit.state().waited == 1)
    assert world.of(RestartsHeld)
    assert await call(await world.runtime.connection("a", 15), "echo", text="now") == "echo:now"  # a call does not wait
