"""Calls that go on while their server dies under them again and again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.scenarios.homes import Home

from vsm_mcp.testing import counting

COUNTING = str(Path(counting.__file__))
CALLS_PER_SECOND, SECONDS = 50, 5
FAILURE = "vsm-mcp/failure"
TOOLS = ("look", "add", "put", "add", "look")


def processes(record: Path) -> list[int]:
    """Return the pids of the servers that write to ``record``: the interpreters, not the sandbox around them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:2] == [COUNTING.encode()] and str(record).encode() in words:
            found.append(int(folder.name))
    return found


class Client:
    """A modern client over HTTP that keeps what became of each call, by tool and key."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.results: dict[tuple[str, str], dict[str, Any]] = {}
        self._http = http
        self._url = url

    async def call(self, server: str, tool: str, key: str) -> None:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        name = f"{server}__{tool}"
        params = {"name": name, "arguments": {"key": key}, "_meta": meta}
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": name,
        }
        message = {"jsonrpc": "2.0", "id": key, "method": "tools/call", "params": params}
        async with self._http.post(self._url, json=message, headers=headers) as answer:
            self.results[tool, key] = (await answer.json())["result"]


async def kill_every_second(record: Path, over: asyncio.Event) -> int:
    """Kill whatever serves, every second; return how many processes that were."""
    killed = 0
    while not over.is_set():
        try:
            async with asyncio.timeout(1.0):
                await over.wait()
        except TimeoutError:
            for pid in processes(record):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


@pytest.mark.slow
async def test_no_safe_call_is_lost_and_none_is_made_twice_under_a_server_that_is_killed_every_second(
    home: Home, tmp_path: Path
) -> None:
    home.path.mkdir()
    (home.path / "vsm-mcp.toml").write_text("[runtime]\nrestart_limit = 1000\n")
    shared = tmp_path / "shared"
    shared.mkdir()
    record = shared / "record"
    arguments = [f"--arg={each}" for each in ("--record", str(record), "--delay", "0.02")]
    options = ["--name", "counting", "--yes", "--allow-path", f"{shared}:rw"]
    program = f"cmd:{sys.executable} {COUNTING}"
    added = await asyncio.to_thread(home.run, "add", program, *options, *arguments)
    assert added.document["outcome"] == "served", added.document
    url = await asyncio.to_thread(home.serve)
    record.write_text("")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        client = Client(http, url)
        await client.call("counting", "look", "first")
        over = asyncio.Event()
        killing = asyncio.create_task(kill_every_second(record, over))
        calls = []
        for number in range(CALLS_PER_SECOND * SECONDS):
            calls.append(asyncio.create_task(client.call("counting", TOOLS[number % len(TOOLS)], f"k{number}")))
            await asyncio.sleep(1 / CALLS_PER_SECOND)
        over.set()
        killed = await killing
        await asyncio.gather(*calls)
    done = Counter(tuple(line.split()[:2]) for line in record.read_text().splitlines())
    failed = {call: result for call, result in client.results.items() if FAILURE in result.get("_meta", {})}
    assert killed >= SECONDS - 2
    assert len(client.results) == CALLS_PER_SECOND * SECONDS + 1
    lost = {call: result for call, result in failed.items() if call[0] != "add"}
    assert not lost, "what reads or is idempotent is answered, whatever happens to its server"
    writes = {call: done[call] for call in client.results if call[0] == "add"}
    assert not [call for call, times in writes.items() if times > 1], "what writes is never carried out twice"
    assert not [call for call in writes if call not in failed and writes[call] != 1]
    assert len(failed) <= 4 * killed, "only what was under way when its server was killed may be lost"
    for result in failed.values():
        assert result["_meta"][FAILURE]["class"] == "transport"
