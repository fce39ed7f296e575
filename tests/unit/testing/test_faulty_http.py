"""The scripted HTTP server: the official client understands it in both eras, and it runs as a program."""

from __future__ import annotations

import subprocess
import sys

import aiohttp
import pytest

from vsm_mcp.testing.faulty_http import options, serving


async def test_as_a_program() -> None:
    argv = [sys.executable, "-m", "vsm_mcp.testing.faulty_http", "--mode", "legacy", "--tools", "3"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"id": 1, "method": "tools/list"}) as answer,
        ):
            assert len((await answer.json())["result"]["tools"]) == 11
        process.kill()


def test_unknown_options_are_refused() -> None:
    with pytest.raises(SystemExit):
        options(["--no-such-fault"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "protocol"), [(["--mode=legacy", "--sessions"], "2025-11-25"), (["--mode=both"], "2026-07-28")]
)
@pytest.mark.parametrize("answers", [[], ["--sse"]])
async def test_the_official_client_understands_it(faults: list[str], protocol: str, answers: list[str]) -> None:
    from mcp import Client

    async with serving(*faults, *answers) as (url, endpoint):
        async with Client(url) as client:
            assert client.protocol_version == protocol
            assert (await client.call_tool("add", {"a": 1, "b": 2})).structured_content == {"sum": 3}
        assert bool(endpoint.ended) == ("--sessions" in faults)
