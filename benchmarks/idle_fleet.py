"""What a daemon with many idle servers costs: ``idle_fleet.py [--servers 200] [--seconds 30] [--json]``.

The real thing: ``vsm-mcp serve`` on a home with so many scripted servers, each a process in the sandbox. One is
admitted as ever, the others are its copies in the catalogue, so that no two hundred trials are run first. When all are
up, the daemon is left alone for five seconds, and then watched. Its memory is what it holds for itself (proportional
set size), its CPU what it used while nothing happened.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from launches import proportional

from vsm_mcp.sandbox import tree
from vsm_mcp.testing import faulty

BIN = Path(__file__).resolve().parents[1] / ".venv" / "bin"
PREPARE = """
import asyncio, sys
import msgspec
from vsm_mcp.app import App

async def main(ref, count):
    async with App.open() as app:
        outcome = await app.add(ref, name="server", yes=True)
        if outcome.outcome != "served":
            raise SystemExit(str(outcome.reason))
        servers = app.store.servers
        first = await servers.get("server")
        offer, pins = (await servers.offers())["server"], await servers.pins("server")
        for number in range(1, int(count)):
            await servers.put(msgspec.structs.replace(first, name=f"server{number}"), offer, pins)

asyncio.run(main(*sys.argv[1:]))
"""
QUIET_SECONDS = 5.0
UP_SECONDS = 600.0


def prepare(home: str, count: int) -> None:
    """Fill a home with servers."""
    call = [sys.executable, "-c", PREPARE, f"cmd:{sys.base_prefix}/bin/python3 {faulty.__file__}", str(count)]
    subprocess.run(call, env=environment(home), check=True, stdout=subprocess.DEVNULL)


def environment(home: str) -> dict[str, str]:
    """Return the environment in which a home is that of the program."""
    return {**os.environ, "VSM_MCP_HOME": home}


def up(home: str) -> int:
    """Return how many servers are ready."""
    done = subprocess.run([BIN / "vsm-mcp", "list", "--json"], env=environment(home), capture_output=True, check=False)
    if done.returncode:
        return 0
    return sum(server["state"] == "ready" for server in json.loads(done.stdout)["servers"])


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(pid: int, count: int, seconds: float) -> dict[str, Any]:
    """Return what the daemon holds, and what it uses while nothing happens."""
    time.sleep(QUIET_SECONDS)
    began, used = time.monotonic(), cpu_seconds(pid)
    time.sleep(seconds)
    share = (cpu_seconds(pid) - used) / (time.monotonic() - began)
    below = tree.descendants(pid)
    beside = [each for each in below if Path(f"/proc/{each}/exe").readlink().name == "bwrap"]
    return {
        "servers": count,
        "memory_mib": round(proportional(pid) / 1024**2, 1),
        "idle_cpu_percent": round(share * 100, 2),
        "descriptors": sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        "threads": sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()),
        "processes": len(below),
        "bubblewrap_kib_each": round(sum(proportional(each) for each in beside) / count / 1024),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--servers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        prepare(home, given.servers)
        daemon = subprocess.Popen(
            [BIN / "vsm-mcp", "serve", "--port", "0"], env=environment(home), stderr=subprocess.DEVNULL
        )
        try:
            began = time.monotonic()
            while (ready := up(home)) < given.servers:
                if daemon.poll() is not None or time.monotonic() - began > UP_SECONDS:
                    print(f"{ready} of {given.servers} servers came up", file=sys.stderr)
                    return 1
                time.sleep(1)
            found = {"up_seconds": round(time.monotonic() - began, 1)}
            found |= watch(daemon.pid, given.servers, given.seconds)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)
    print(json.dumps(found, indent=None if given.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
