"""Whether a daemon under load and faults grows, and whether every answer is right.

``python benchmarks/soak.py`` starts ``vsm-mcp serve`` on a home of its own with 20 scripted servers in the sandbox,
makes 100,000 calls over HTTP, and meanwhile kills servers at random (SIGKILL) and has others started anew, 1,000 times
in all. Every call carries a text of its own and has to bring back exactly that, or say that it failed; a call to a
server that was just killed may fail, none may be lost or answered wrongly. Memory, descriptors, tasks and threads of
the daemon are read at rest, at the beginning (after a tenth of the work) and in the end.

Exit code 1 when something grew, or an answer was wrong. Only processes that the daemon started are killed, by their id.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from vsm_mcp.app.sockets import CONTROL, connect
from vsm_mcp.testing import faulty

PROGRAM = str(Path(sys.executable).parent / "vsm-mcp")
FAULTY = Path(faulty.__file__)
SETTINGS = """
[runtime]
restart_limit = 1000000
restart_period_seconds = 1.0
[gateway]
mode = "all"
[log]
level = "error"
"""
PREPARE = """
import asyncio, sys
from vsm_mcp.app import App

async def main():
    async with App.open() as app:
        for number in range(int(sys.argv[2])):
            outcome = await app.add(sys.argv[1], name=f"s{number}", yes=True)
            if outcome.outcome != "served":
                raise SystemExit(f"{number}: {outcome.reason}")

asyncio.run(main())
"""
CALL_SECONDS = 60.0
REST_SECONDS = 30.0
MEMORY_SHARE, MEMORY_BYTES = 0.10, 4 << 20
"""How much more memory counts as none: pages that the allocator keeps come and go."""


class Daemon:
    """``vsm-mcp serve`` and its control socket."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--port", "0"], env={**os.environ, "VSM_MCP_HOME": str(home)}, stdin=subprocess.DEVNULL
        )

    def operate(self, operation: str, **params: Any) -> dict[str, Any]:
        """Run an operation of the control API; return its result or its error."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = connect(self.home, CONTROL)
        try:
            connection.request("POST", f"/v1/{operation}", json.dumps(params), {"Content-Type": "application/json"})
            last = json.loads(connection.getresponse().read().splitlines()[-1])
            return dict(last.get("result", last))
        finally:
            connection.close()

    def address(self) -> str:
        """Wait until it listens; return where."""
        until = time.monotonic() + REST_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if found := self.operate("status").get("address"):
                    return str(found)
            time.sleep(0.05)
        raise SystemExit("the daemon did not come up")

    def stop(self) -> int:
        """End it; return how many processes of its home are left."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return sum(str(self.home) in _environ(each) for each in Path("/proc").glob("[0-9]*"))


def _environ(folder: Path) -> str:
    try:
        return (folder / "environ").read_text("utf-8", "replace")
    except OSError:
        return ""


class Soak:
    """The load, the faults, and what came of them."""

    def __init__(self, options: argparse.Namespace, daemon: Daemon, url: str, client: aiohttp.ClientSession) -> None:
        self.options = options
        self.daemon = daemon
        self.url = url
        self.client = client
        self.outcomes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.chance = random.Random(options.seed)  # noqa: S311 - repeatable, not secret
        self.wrong: list[str] = []

    async def run(self, calls: int, faults: int) -> None:
        """Make the calls; meanwhile, cause the faults, evenly over them."""
        left = iter(range(calls))
        done = 0

        async def caller(who: int) -> None:
            nonlocal done
            for number in left:
                await self.call(f"{who}-{number}-{self.chance.random()}")
                done += 1

        async def breaker() -> None:
            for number in range(faults):
                while done < calls * number / faults:  # noqa: ASYNC110 - a load without events
                    await asyncio.sleep(0.005)
                await self.fault()

        async with asyncio.TaskGroup() as group:
            for who in range(self.options.callers):
                group.create_task(caller(who))
            if faults:
                group.create_task(breaker())

    async def call(self, text: str) -> None:
        """Call a server; note whether the answer is right, a failure that is told, wrong, or lost."""
        name = f"s{self.chance.randrange(self.options.servers)}__echo"
        body = {"jsonrpc": "2.0", "id": text, "method": "tools/call"}
        body["params"] = {"name": name, "arguments": {"text": text}, "_meta": META}
        headers = {"Mcp-Method": "tools/call", "Mcp-Name": name, **HEADERS}
        try:
            async with asyncio.timeout(CALL_SECONDS), self.client.post(self.url, json=body, headers=headers) as answer:
                document = await answer.json()
        except (TimeoutError, aiohttp.ClientError) as error:
            return self._wrong("lost", f"{name}: {error!r}")
        result = document.get("result")
        if document.get("id") != text or (result is None and "error" not in document):
            return self._wrong("wrong", f"{name}: asked {text}, got {document}")
        if result is None or result.get("isError"):
            self.outcomes["failed"] += 1
        elif result["content"][0]["text"] == f"echo:{text}":
            self.outcomes["right"] += 1
        else:
            self._wrong("wrong", f"{name}: asked {text}, got {result}")
        return None

    def _wrong(self, kind: str, text: str) -> None:
        self.outcomes[kind] += 1
        self.wrong.append(text)

    async def fault(self) -> None:
        """Kill one server, or have one started anew."""
        name = f"s{self.chance.randrange(self.options.servers)}"
        if self.chance.random() < self.options.kills:
            status = await asyncio.to_thread(self.daemon.operate, "status")
            pid = next(row["pid"] for row in status["servers"] if row["name"] == name)
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.faults["killed"] += 1
            return
        await asyncio.to_thread(self.daemon.operate, "restart", name=name)
        self.faults["restarted"] += 1

    async def rested(self) -> dict[str, Any]:
        """Wait until every server is up and nothing is going on; return what the daemon uses then.

        Once a minute the daemon lets go of what ended processes left behind.
        """
        await asyncio.sleep(self.options.rest)
        until = time.monotonic() + REST_SECONDS
        before: dict[str, Any] = {}
        while True:
            for number in range(self.options.servers):
                await asyncio.to_thread(self.daemon.operate, "start", name=f"s{number}")
            await asyncio.sleep(1.0)  # for what was begun to end; then two looks have to agree
            status = await asyncio.to_thread(self.daemon.operate, "status")
            now: dict[str, Any] = status["process"]
            counts = ("open_files", "tasks", "threads")
            if all(now[name] == before.get(name) for name in counts) or time.monotonic() > until:
                return now
            before = now


VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
HEADERS = {"MCP-Protocol-Version": VERSION, "Accept": "application/json, text/event-stream"}


def verdict(before: dict[str, Any], after: dict[str, Any], slack: int) -> dict[str, dict[str, Any]]:
    """Return, for each thing that could grow, what it was, what it is, and whether that is growth."""
    rows = {}
    for name, allowed in (
        ("rss_bytes", max(before["rss_bytes"] * MEMORY_SHARE, MEMORY_BYTES)),
        ("open_files", slack),
        ("tasks", slack),
        ("threads", slack),
    ):
        rows[name] = {"before": before[name], "after": after[name], "grew": after[name] - before[name] > allowed}
    return rows


def prepare(home: Path, servers: int) -> None:
    """Admit the servers, as anybody would."""
    environ = {**os.environ, "VSM_MCP_HOME": str(home)}
    (home / "vsm-mcp.toml").write_text(SETTINGS)
    reference = f"cmd:{sys.executable} {FAULTY}"
    subprocess.run([sys.executable, "-c", PREPARE, reference, str(servers)], env=environ, check=True)


async def soak(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Run it; return the document."""
    daemon = Daemon(home)
    began = time.monotonic()
    try:
        url = await asyncio.to_thread(daemon.address)
        connector = aiohttp.TCPConnector(limit=options.callers)
        async with aiohttp.ClientSession(connector=connector) as client:
            run = Soak(options, daemon, url, client)
            await run.run(options.calls // 10, options.restarts // 10)
            before = await run.rested()
            await run.run(options.calls - options.calls // 10, options.restarts - options.restarts // 10)
            after = await run.rested()
        counters = (await asyncio.to_thread(daemon.operate, "status"))["counters"]
    finally:
        left = await asyncio.to_thread(daemon.stop)
    seconds = time.monotonic() - began
    return {
        "schema": 1,
        "servers": options.servers,
        "seconds": round(seconds, 1),
        "calls_per_second": round(options.calls / seconds),
        "calls": dict(run.outcomes),
        "faults": dict(run.faults),
        "daemon": verdict(before, after, options.slack),
        "counters": {name: counters[name] for name in ("started", "restarted", "failed", "gave_up", "calls")},
        "processes_left": left,
        "wrong": run.wrong[:20],
    }


def show(document: dict[str, Any]) -> None:
    """Print the table."""
    calls, faults = document["calls"], document["faults"]
    print(f"{document['servers']} servers, {document['seconds']} s, {document['calls_per_second']} calls a second")
    print(f"calls   right {calls.get('right', 0)}, told to have failed {calls.get('failed', 0)}, ", end="")
    print(f"wrong {calls.get('wrong', 0)}, lost {calls.get('lost', 0)}")
    print(f"faults  killed {faults.get('killed', 0)}, started anew {faults.get('restarted', 0)}")
    print(f"{'':<12}{'before':>14}{'after':>14}")
    for name, row in document["daemon"].items():
        print(f"{name:<12}{row['before']:>14,}{row['after']:>14,}{'  grew' if row['grew'] else ''}")
    print(f"processes left after the end: {document['processes_left']}")
    for text in document["wrong"]:
        print(f"  {text}")


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--restarts", type=int, default=1_000, help="kills and restarts, in all")
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--kills", type=float, default=0.5, help="the share of kills among them")
    parser.add_argument("--slack", type=int, default=3, help="how many more files, tasks or threads are none")
    parser.add_argument("--rest", type=float, default=65.0, help="seconds of rest before the daemon is looked at")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vsm-mcp-soak-") as folder:
        prepare(Path(folder), options.servers)
        document = asyncio.run(soak(options, Path(folder)))
    print(json.dumps(document)) if options.json else show(document)
    wrong = document["calls"].get("wrong", 0) + document["calls"].get("lost", 0)
    grew = any(row["grew"] for row in document["daemon"].values())
    return int(bool(wrong or grew or document["processes_left"]))


if __name__ == "__main__":
    sys.exit(main())
