"""New settings for servers that run: what they have to go through, and calls that are in flight meanwhile."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
import pytest
from tests.unit.runtime.world import World, gone, until

from vsm_mcp.config import Config
from vsm_mcp.errors import ServerDown, TransportError
from vsm_mcp.events import ServerStarted, ServerStopped
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime.renewal import LIMITS, Renewal, renewal
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.sandbox.confinement import Command, Confinement

SPEC = ServerSpec(name="a", command=Command(argv=("x",)), confinement=Confinement())


@pytest.mark.parametrize("field", Confinement.__struct_fields__)
def test_each_field_of_a_confinement(field: str) -> None:
    """What is not known to be changed around a running program means a new start."""
    assert SPEC.confinement is not None
    value = getattr(SPEC.confinement, field)
    other = (not value) if isinstance(value, bool) else value + 1 if isinstance(value, (int, float)) else ("/new",)
    changed = msgspec.structs.replace(SPEC, confinement=msgspec.structs.replace(SPEC.confinement, **{field: other}))
    assert renewal(SPEC, changed) is (Renewal.ADAPT if field in LIMITS else Renewal.RESTART)


@pytest.mark.parametrize(
    ("change", "follows"),
    [
        ({}, Renewal.NOTHING),
        ({"start_timeout": 1.0}, Renewal.NOTHING),
        ({"known_era": "modern"}, Renewal.NOTHING),
        ({"command": Command(argv=("x", "y"))}, Renewal.RESTART),
        ({"command": Command(argv=("x",), env={"A": "b"})}, Renewal.RESTART),
        ({"headers": {"A": "b"}}, Renewal.RESTART),
        ({"secrets": ("b",)}, Renewal.RESTART),
        ({"unsandboxed": True}, Renewal.RESTART),
        ({"confinement": None}, Renewal.RESTART),
    ],
)
def test_what_follows(change: dict[str, object], follows: Renewal) -> None:
    assert renewal(SPEC, msgspec.structs.replace(SPEC, **change)) is follows


def with_limits(config: Config, **limits: float) -> Config:
    return msgspec.structs.replace(config, sandbox=msgspec.structs.replace(config.sandbox, **limits))


async def test_other_limits_hold_for_what_runs(world: World) -> None:
    world.add("a")
    pid = await world.pid("a")
    world.runtime.configure(with_limits(world.config, memory_bytes=200 << 20, cpus=0.5))
    assert world.runtime.adapt("a")
    for file, text in (("memory.limit_in_bytes", str(200 << 20)), ("cpu.cfs_quota_us", "50000")):
        for found in group_files(pid, file):
            assert found.read_text().strip() == text
    world.runtime.configure(with_limits(world.config, memory_bytes=300 << 20, cpus=0))
    assert world.runtime.adapt("a")
    for file, text in (("memory.limit_in_bytes", str(300 << 20)), ("cpu.cfs_quota_us", "-1")):
        for found in group_files(pid, file):
            assert found.read_text().strip() == text
    assert await world.ask("a", "", "echo", text="x") == "echo:x"
    assert await world.pid("a") == pid


async def test_limits_of_single_processes(world: World) -> None:
    """Whether they can be set around what runs depends on what the daemon may; after a new start they hold anyway."""
    world.add("a")
    pid = await world.pid("a")
    world.runtime.configure(with_limits(world.config, processes=77, open_files=99))
    if not world.runtime.adapt("a"):
        await world.runtime.change_over("a", "new settings")
        pid = await world.pid("a")
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max open files +99 +99 ", limits)
    assert re.search(r"Max processes +77 +77 ", limits)
    for found in group_files(pid, "pids.max"):
        assert found.read_text().strip() == "77"


async def test_less_memory_than_is_in_use_takes_a_new_start(world: World) -> None:
    world.add("a")
    pid = await world.pid("a")
    if not group_files(pid, "memory.limit_in_bytes"):
        pytest.skip("no control groups of version 1 here")
    world.runtime.configure(with_limits(world.config, memory_bytes=4096))
    assert not world.runtime.adapt("a")
    assert await world.ask("a", "", "echo", text="x") == "echo:x"  # nobody was killed for it


async def test_calls_in_flight_end_first_and_new_ones_wait(world: World) -> None:
    world.add("a")
    before = await world.pid("a")
    long = asyncio.ensure_future(world.ask("a", "", "slow", seconds=0.5))
    await until(lambda: world.runtime.status("a").in_flight == 1)
    renewing = asyncio.ensure_future(world.runtime.change_over("a", "new settings"))
    await until(lambda: world.runtime.ready("a") is None)
    late = asyncio.ensure_future(world.ask("a", "", "echo", text="late"))
    assert not gone(before)
    assert await long == "slept 0.5"
    assert await late == "echo:late"
    await renewing
    assert gone(before)
    assert await world.pid("a") != before
    assert [type(event) for event in world.events] == [ServerStarted, ServerStopped, ServerStarted]


async def test_a_call_that_does_not_end_is_waited_for_only_so_long(world: World) -> None:
    limits = msgspec.structs.replace(world.config.runtime, drain_seconds=0.2)
    world.runtime.configure(msgspec.structs.replace(world.config, runtime=limits))
    world.add("a")
    await world.pid("a")
    endless = asyncio.ensure_future(world.ask("a", "", "slow", seconds=60))
    await until(lambda: world.runtime.status("a").in_flight == 1)
    async with asyncio.timeout(60):
        await world.runtime.change_over("a", "new settings")
    with pytest.raises(TransportError):
        await endless
    assert await world.ask("a", "", "echo", text="x") == "echo:x"


async def test_what_is_stopped_stays_stopped(world: World) -> None:
    world.add("a")
    await world.runtime.change_over("a", "new settings")
    assert world.runtime.status("a").state is ServerState.STOPPED
    await world.pid("a")
    await world.runtime.stop("a")
    await world.runtime.change_over("a", "new settings")
    assert world.runtime.status("a").state is ServerState.STOPPED


async def test_one_that_is_stopped_meanwhile_is_not_started_again(world: World) -> None:
    world.add("a")
    await world.pid("a")
    endless = asyncio.ensure_future(world.ask("a", "", "slow", seconds=60))
    await until(lambda: world.runtime.status("a").in_flight == 1)
    renewing = asyncio.ensure_future(world.runtime.change_over("a", "new settings"))
    await until(lambda: world.runtime.ready("a") is None)
    await world.runtime.stop("a")
    await asyncio.wait([endless, renewing])
    endless.exception()
    assert renewing.exception() is None
    assert world.runtime.status("a").state is ServerState.STOPPED


async def test_one_that_dies_while_it_is_drained_is_started_once(world: World) -> None:
    world.add("a")
    await world.pid("a")
    endless = asyncio.ensure_future(world.ask("a", "", "slow", seconds=60))
    await until(lambda: world.runtime.status("a").in_flight == 1)
    renewing = asyncio.ensure_future(world.runtime.change_over("a", "new settings"))
    await until(lambda: world.runtime.ready("a") is None)
    with pytest.raises(TransportError):
        await world.runtime._pools["a"].shared._instance.connection.request("tools/call", {"name": "crash"}, timeout=9)  # type: ignore[union-attr]
    await asyncio.wait([endless, renewing])
    endless.exception()
    assert renewing.exception() is None
    assert world.runtime.status("a").state is ServerState.READY
    assert len(world.of(ServerStarted)) == 2


async def test_all_processes_that_share_the_calls_are_started_anew(world: World) -> None:
    world.add("a", settings=Settings(pool_size=2))

    def ready() -> tuple[int, ...]:
        pool = world.runtime.status("a").pool
        return pool.pids if pool is not None and pool.ready == 2 else ()

    await world.runtime.start("a")
    await until(lambda: len(ready()) == 2)
    before = ready()
    assert (await world.runtime.resources.look_closely("a")).processes >= 2  # type: ignore[union-attr]
    calls = [asyncio.ensure_future(world.ask("a", "", "slow", seconds=0.4)) for _ in range(4)]
    await until(lambda: world.runtime.status("a").pool.calls == 4)  # type: ignore[union-attr]
    changing = asyncio.ensure_future(world.runtime.change_over("a", "new settings"))
    await until(lambda: world.runtime.ready("a") is None)
    late = asyncio.ensure_future(world.ask("a", "", "echo", text="late"))
    assert await asyncio.gather(*calls) == ["slept 0.4"] * 4
    assert await late == "echo:late"
    await changing
    await until(lambda: len(ready()) == 2)
    assert not set(before) & set(ready())
    assert all(gone(pid) for pid in before)


async def test_one_that_was_given_up_gets_another_try(world: World) -> None:
    world.add("a", settings=Settings(args=("--die-at-start", "no")))
    with pytest.raises(ServerDown):
        await world.runtime.start("a")
    await until(lambda: world.runtime.status("a").state is ServerState.GAVE_UP, 20)
    world.add("a")
    await world.runtime.change_over("a", "new settings")
    assert await world.ask("a", "", "echo", text="x") == "echo:x"


def group_files(pid: int, name: str) -> list[Path]:
    """Return the files of that name in the control groups (version 1) of a process."""
    found = []
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for point in {controllers, *controllers.split(",")} - {""}:
            file = Path(f"/sys/fs/cgroup/{point}{path}", name)
            if "vsm-mcp." in path and file.exists():
                found.append(file)
    return found[:1]
