"""A person logs in once: before a server is added, and again when what was agreed to has ended."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator

import aiohttp
import pytest
from tests.scenarios.homes import PROGRAM, Done, Home
from tests.unit.authorization.guarding import Door, guarding
from tests.unit.gateway.issuing import issuing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with issuing() as issuer:
        issuer.add_key("one")
        issuer.for_people()
        async with guarding(issuer) as door:
            yield door


async def run(home: Home, *words: str) -> Done:
    return await asyncio.to_thread(home.run, *words)


def states(home: Home) -> list[str]:
    return [row["state"] for row in home.run("list").document["servers"]]


async def log_in(home: Home, server: str) -> str:
    """Run ``login``, visit the address that it prints as a browser would; return what it says in the end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "login", server, env=home.env, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(60):
        line = b""
        while not line.startswith(b"http://"):
            line = await process.stderr.readline()
            assert line, "it ended without an address"
        async with aiohttp.ClientSession() as session, session.get(line.decode().strip()) as answer:
            assert "Done" in await answer.text()
        said = await process.stdout.read()
        assert await process.wait() == 0
    return said.decode()


async def test_a_person_logs_in_once(home: Home, door: Door) -> None:
    refused = await run(home, "add", door.url, "--name", "far", "--yes")
    assert refused.document["outcome"] != "served"
    assert "vsm-mcp login" in refused.document["reason"]["hint"]

    assert "login done" in await log_in(home, door.url)
    files = list((home.path / "secrets").glob("oauth-*.json"))
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600]
    assert (await run(home, "add", door.url, "--name", "far", "--yes")).document["outcome"] == "served"
    assert (await run(home, "call", "far__echo", "text=hi")).document["content"][0]["text"] == "echo:hi"

    await asyncio.to_thread(home.serve)
    await asyncio.to_thread(home.until, lambda: states(home) == ["ready"])
    files[0].unlink()
    door.revoked.update(door.seen)
    failed = await run(home, "restart", "far")
    assert failed.code == 5
    assert "vsm-mcp login far" in failed.document["error"]["message"]
    assert "login done" in await log_in(home, "far")
    assert (await run(home, "call", "far__echo", "text=hi")).document["content"][0]["text"] == "echo:hi"
    assert not any(token and token in home.said for token in door.seen)

    assert (await run(home, "remove", "far")).code == 0
    assert list((home.path / "secrets").glob("oauth-*.json")) == []
