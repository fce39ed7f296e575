"""Launches in the sandbox: whether each one works, and what it costs.

``launches.py [--launches 2000] [--pairs 60] [--servers 20] [--json]`` prints three things. *Launches*: so many programs
are started four at a time, with and without granted paths, and have to say what they saw; a failure is one that did
not, and what is left are processes, control groups and descriptors. *Start-up*: the scripted server, up to its list of
tools, in the sandbox and without one in turn; the overhead is the median of the differences. *Memory*: what each
sandbox holds beside its server (proportional set size of bubblewrap's two processes).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.unit.runtime.world import World

from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.model.launch import Settings
from vsm_mcp.sandbox import tree
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import HOME, Command, Confinement
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Isolation, Tier, properties_of

AT_ONCE = 4
NONE = Isolation(tier=Tier.NONE, properties=properties_of(Tier.NONE))
SAYS = ("/bin/sh", "-c", "cat /proc/self/status; echo done")


async def launches(isolation: Isolation, count: int) -> dict[str, Any]:
    """Start ``count`` programs; return how many failed, how long one took, and what is left."""
    failed: list[str] = []
    taken: list[float] = []
    numbers = iter(range(count))
    with tempfile.TemporaryDirectory() as granted:  # mode 0700
        variants = [Confinement(), Confinement(granted_writable=(granted,)), Confinement(cpus=0.5, processes=16)]
        async with Sandbox(isolation) as sandbox:
            await _one(sandbox, variants[0], "first", failed)  # now the guard is up
            before = _descriptors()

            async def work() -> None:
                for number in numbers:
                    began = time.perf_counter()
                    await _one(sandbox, variants[number % len(variants)], f"launch {number}", failed)
                    taken.append((time.perf_counter() - began) * 1000)

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            left = {"descriptors": _descriptors() - before, "groups": _groups(isolation), "processes": _processes()}
    ordered = sorted(taken)
    return {
        "launches": count,
        "failed": len(failed),
        "failures": failed[:5],
        "median_ms": round(statistics.median(ordered), 1),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 1),
        "left": left,
    }


async def _one(sandbox: Sandbox, confinement: Confinement, name: str, failed: list[str]) -> None:
    try:
        command = Command(argv=SAYS, env={"PATH": "/usr/bin:/bin"}, cwd=HOME)
        done = await sandbox.run(command, confinement, name=name, timeout=60)
    except VsmError as error:
        failed.append(f"{name}: {error.message}")
        return
    text = done.stdout.decode("utf-8", "replace")
    if not (done.ok and text.endswith("done\n") and "Seccomp:\t2" in text and "CapEff:\t0000000000000000" in text):
        failed.append(f"{name}: {done.exit.describe()}: {done.stderr[-200:]!r}")


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _groups(isolation: Isolation) -> int:
    if isolation.cgroup is None:
        return 0
    return sum(1 for _ in Path(isolation.cgroup.memory).glob(f"vsm-mcp.{os.getpid()}.*/*/"))


def _processes() -> int:
    """Return how many processes there are below this one, less the guard."""
    return len(tree.descendants(os.getpid())) - 1


async def start_up(isolation: Isolation, pairs: int) -> dict[str, Any]:
    """Start the scripted server in the sandbox and without one in turn; return what the sandbox adds."""
    inside, outside = [], []
    with tempfile.TemporaryDirectory() as home:
        async with Sandbox(isolation) as sandbox, Sandbox(NONE) as nothing:
            config = Config(home=Path(home))
            worlds = [World(sandbox, config), World(nothing, config)]
            async with worlds[0].runtime, worlds[1].runtime:
                for world in worlds:
                    world.add("server", settings=Settings(allow_unsandboxed=True))
                    await _until_listed(world)  # what is read for the first time does not count
                for _ in range(pairs):
                    inside.append(await _until_listed(worlds[0]))
                    outside.append(await _until_listed(worlds[1]))
    extra = [one - other for one, other in zip(inside, outside, strict=True)]
    return {
        "pairs": pairs,
        "sandboxed_ms": round(statistics.median(inside), 1),
        "bare_ms": round(statistics.median(outside), 1),
        "overhead_ms": round(statistics.median(extra), 1),
        "overhead_of_fastest_ms": round(_tenth(inside) - _tenth(outside), 1),  # where others use the machine, too
    }


def _tenth(taken: list[float]) -> float:
    return sorted(taken)[len(taken) // 10]


async def _until_listed(world: World) -> float:
    """Start the server; return the milliseconds up to its list of tools."""
    began = time.perf_counter()
    connection = await world.runtime.connection("server", 60)
    await connection.request("tools/list", {}, timeout=60)
    taken = (time.perf_counter() - began) * 1000
    await world.runtime.stop("server")
    return taken


async def memory(isolation: Isolation, count: int) -> dict[str, Any]:
    """Return what ``count`` sandboxes hold beside their servers, each."""
    async with Sandbox(isolation) as sandbox:
        command = Command(argv=("/bin/sleep", "600"), env={"PATH": "/usr/bin:/bin"})
        children = [await sandbox.spawn(command, Confinement(), name=f"idle {n}") for n in range(count)]
        while not all(child.processes() for child in children):  # noqa: ASYNC110 -- of another process
            await asyncio.sleep(0.01)
        own = {pid for child in children for pid in child.processes()}
        beside = [pid for pid in tree.descendants(os.getpid()) if pid not in own and _is_bubblewrap(pid)]
        held = sum(proportional(pid) for pid in beside)
        for child in children:
            for descriptor in (child.stdin_fd, child.stdout_fd, child.stderr_fd):
                os.close(descriptor)
    return {"servers": count, "processes": len(beside), "pss_kib_each": round(held / count / 1024)}


def _is_bubblewrap(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").readlink().name == "bwrap"


def proportional(pid: int) -> int:
    """Return the proportional set size of a process, in bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


async def main() -> int:
    """Measure, print, and return 1 if anything failed or was left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--launches", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    isolation = await probe()
    if isolation.tier is Tier.NONE:
        print(f"no sandbox here: {isolation.reasons}", file=sys.stderr)
        return 1
    found: dict[str, Any] = {"tier": isolation.tier.value, "mechanism": isolation.mechanism}
    found["launches"] = await launches(isolation, given.launches)
    if given.pairs:
        found["start_up"] = await start_up(isolation, given.pairs)
    if given.servers:
        found["memory"] = await memory(isolation, given.servers)
    print(json.dumps(found, indent=None if given.json else 2))
    return 1 if found["launches"]["failed"] or any(found["launches"]["left"].values()) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
