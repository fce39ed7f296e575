"""Servers that take more than their share: held, with the cause by name, and nobody else notices.

A granted directory has no limit of size, and a server that counts for ever is only slow: both are said in
docs/reference/sandbox.md. How much the neighbours notice is measured by ``benchmarks/neighbours.py``; what is asserted
here is so generous that a busy machine passes, and a daemon that spends its time on a flood does not.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from tests.sandboxes import whole
from tests.scenarios import hog
from tests.unit.runtime.world import World, call, gone, until

from vsm_mcp.config import Config
from vsm_mcp.config import Runtime as RuntimeLimits
from vsm_mcp.config import Sandbox as SandboxLimits
from vsm_mcp.errors import RequestTimeout, TransportError
from vsm_mcp.events import CpuLimitReached, ServerCrashed
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import MEBIBYTE
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.wire.connection import Connection

HOG: Final = Path(hog.__file__)
LOG_BYTES: Final = 200_000
NOTICED_SECONDS: Final = 0.1
"""The median of a neighbour's calls stays below; it is a third of a millisecond when all is quiet."""

LIMITS: Final = SandboxLimits(
    memory_bytes=128 * MEBIBYTE, processes=40, open_files=200, cpus=0.5, scratch_bytes=16 * MEBIBYTE
)
LITTLE: Final = 0.1
ENDED: Final = {
    "memory": r"killed by SIGKILL \(out of memory\)",
    "forks": "limit of processes",
    "threads": "limit of processes",
    "files": "limit of open files",
    "disk": "limit of scratch bytes",
    "endless": "a line of more than 4000000 bytes",
}
HELD: Final = ("cpu", "stderr", "stdout", "messages")


@pytest.fixture(params=["limits", "soft"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    isolation = await whole(soft=request.param == "soft")
    if isolation.tier is not (Tier.FULL_SOFT if request.param == "soft" else Tier.FULL):
        pytest.skip(f"not to be had here: {isolation.reasons}")
    limits = RuntimeLimits(
        start_timeout_seconds=20, stop_grace_seconds=0.3, log_bytes=LOG_BYTES, max_line_bytes=4_000_000
    )
    async with Sandbox(isolation) as sandbox:
        made = World(sandbox, Config(home=tmp_path, runtime=limits, sandbox=LIMITS))
        async with made.runtime:
            yield made


async def median(neighbour: Connection, calls: int = 60) -> float:
    """Return how long a neighbour's calls take while the hog is at it."""
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        assert await call(neighbour, "ping") == "pong"
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(0.002)
    return statistics.median(taken)


@pytest.mark.parametrize("kind", ENDED)
async def test_a_hog_ends_at_its_limit_which_is_named(world: World, kind: str) -> None:
    world.add("neighbour", program=HOG)
    world.add("hog", program=HOG)
    neighbour = await world.runtime.connection("neighbour", 20)
    greedy = await world.runtime.connection("hog", 20)
    eating = asyncio.ensure_future(call(greedy, kind, 30))
    assert await median(neighbour) < NOTICED_SECONDS
    with pytest.raises(TransportError, match=ENDED[kind]):  # who waits for it hears what it ran into
        await eating
    await until(lambda: bool(world.of(ServerCrashed)))
    crash = world.of(ServerCrashed)[0]
    assert crash.server == "hog"
    assert re.search(ENDED[kind], crash.reason), crash.reason
    assert await call(await world.runtime.connection("hog", 20), "ping") == "pong"
    assert await call(neighbour, "ping") == "pong"


async def heard(greedy: Connection, why: str, tries: int = 8) -> None:
    """Call until one that gets no answer says why: on a busy machine a hog may not get all it may have for a second."""
    for _ in range(tries):
        with pytest.raises(RequestTimeout) as failed:
            await call(greedy, "ping", 1)
        if why in failed.value.message:
            return
    pytest.fail(f"none of {tries} calls said: {why}")


@pytest.mark.parametrize("kind", HELD)
async def test_a_hog_that_goes_on_is_held_and_can_be_stopped(world: World, kind: str) -> None:
    if kind == "cpu":  # so little that it gets all of it on a busy machine, too
        little = msgspec.structs.replace(LIMITS, cpus=LITTLE)
        world.runtime.configure(msgspec.structs.replace(world.config, sandbox=little))
    world.add("neighbour", program=HOG)
    world.add("hog", program=HOG)
    neighbour = await world.runtime.connection("neighbour", 20)
    greedy = await world.runtime.connection("hog", 20)
    eating = asyncio.ensure_future(call(greedy, kind, 1.5))
    assert await median(neighbour) < NOTICED_SECONDS
    if kind == "cpu":
        await told(world)
        await heard(greedy, "it uses all the CPU it may have ([sandbox] cpus = 0.1)")
    with pytest.raises(RequestTimeout):
        await eating
    if kind == "cpu" and world.runtime._sandbox.isolation.tier is Tier.FULL_SOFT:
        assert world.runtime._sandbox.isolation.properties["cpu"] == "off"  # and the docs say so
    logs = world.runtime.log_path("hog").parent.glob("hog.log*")
    assert sum(path.stat().st_size for path in logs) <= 2 * LOG_BYTES
    pid = world.runtime.status("hog").pid
    assert pid is not None
    await world.runtime.stop("hog")
    assert gone(pid)
    assert world.of(ServerCrashed) == []
    assert await call(neighbour, "ping") == "pong"


async def told(world: World) -> None:
    """Look at the servers until it is said which of them uses all the CPU it may have."""
    async with asyncio.timeout(60):
        while not world.of(CpuLimitReached):
            await world.runtime.resources.look()
            await asyncio.sleep(0.2)
    assert [(each.server, each.cores) for each in world.of(CpuLimitReached)] == [("hog", LITTLE)]


async def test_what_lies_in_scratch_counts_as_memory(world: World) -> None:
    """tmpfs is memory: with control groups it is the server's, wherever it lies."""
    if world.runtime._sandbox.isolation.tier is not Tier.FULL:
        pytest.skip("only a control group counts it")
    roomy = SandboxLimits(memory_bytes=64 * MEBIBYTE, scratch_bytes=256 * MEBIBYTE)
    async with Sandbox(world.runtime._sandbox.isolation) as sandbox:
        other = World(sandbox, Config(home=world.config.home / "other", sandbox=roomy))
        async with other.runtime:
            other.add("hog", program=HOG)
            with pytest.raises(TransportError):
                await call(await other.runtime.connection("hog", 20), "disk", 30, where="/dev/shm")
            await until(lambda: bool(other.of(ServerCrashed)))
            assert "out of memory" in other.of(ServerCrashed)[0].reason


async def test_memory_is_not_limited_in_a_way_that_breaks_programs(world: World) -> None:
    """RLIMIT_AS and RLIMIT_DATA would: node reserves gigabytes that it never touches."""
    world.add("hog", program=HOG)
    await world.runtime.start("hog")
    pid = world.runtime.status("hog").pid
    assert pid is not None
    limits = Path(f"/proc/{pid}/limits").read_text()
    for kind in ("address space", "data size"):
        assert re.search(rf"^Max {kind} +unlimited +unlimited", limits, re.MULTILINE), limits
