"""What a server's neighbours notice of one that takes more than its share: ``neighbours.py [KIND …]``.

Each kind of hog (see ``tests/scenarios/hog.py``) gets two seconds beside a quiet server that is called all the while.
Calls with and without the hog alternate with pauses in between, and the figures stand side by side.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.scenarios import hog
from tests.unit.runtime.world import World, call

from vsm_mcp.config import Config, Runtime, Sandbox
from vsm_mcp.errors import VsmError
from vsm_mcp.sandbox import child
from vsm_mcp.sandbox.confinement import MEBIBYTE
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.wire.connection import Connection

SECONDS = 2.0
PAUSE_SECONDS = 0.002


async def calls(neighbour: Connection, seconds: float) -> list[float]:
    """Call for so long; return how long each call took, in milliseconds."""
    taken = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        await call(neighbour, "ping")
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(PAUSE_SECONDS)
    return taken


async def beside(world: World, neighbour: Connection, kind: str) -> list[float]:
    """Let a hog of a kind loose; return what the neighbour's calls took."""
    world.add(kind, program=Path(hog.__file__))
    greedy = await world.runtime.connection(kind, 20)
    eating = asyncio.ensure_future(call(greedy, kind, SECONDS))
    taken = await calls(neighbour, SECONDS)
    try:
        await eating
    except VsmError as error:
        print(f"  {kind}: {error.message}", file=sys.stderr)
    await world.runtime.stop(kind)
    return taken


def row(name: str, taken: list[float]) -> str:
    """Return one line of the table."""
    ordered = sorted(taken)
    late = ordered[int(len(ordered) * 0.99)]
    return f"{name:10} {len(taken):6} {statistics.median(ordered):9.2f} {late:9.2f} {ordered[-1]:9.2f}"


async def main(kinds: list[str]) -> None:
    """Measure and print a table."""
    limits = Sandbox(memory_bytes=128 * MEBIBYTE, processes=40, open_files=200, cpus=0.5, scratch_bytes=16 * MEBIBYTE)
    isolation = await probe()
    print(f"tier {isolation.tier.value}; milliseconds of a call to the neighbour")
    print(f"{'beside':10} {'calls':>6} {'median':>9} {'99 %':>9} {'longest':>9}")
    with tempfile.TemporaryDirectory() as home:
        async with child.Sandbox(isolation) as sandbox:
            config = Config(home=Path(home), runtime=Runtime(max_line_bytes=4_000_000), sandbox=limits)
            world = World(sandbox, config)
            async with world.runtime:
                world.add("neighbour", program=Path(hog.__file__))
                neighbour = await world.runtime.connection("neighbour", 20)
                for kind in kinds:
                    print(row("nobody", await calls(neighbour, SECONDS)))
                    print(row(kind, await beside(world, neighbour, kind)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or [name for name in hog.TOOLS if name != "ping"]))
