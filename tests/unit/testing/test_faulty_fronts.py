"""The scripted server elsewhere: it runs as a program, and the official client understands its HTTP+SSE."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vsm_mcp.testing.faulty_fronts import options, serving
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.tcp import TcpTransport
from vsm_mcp.wire.transport import Target


async def test_as_a_program() -> None:
    argv = [sys.executable, "-m", "vsm_mcp.testing.faulty_fronts", "tcp", "--tools", "3"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        connection = await connect(TcpTransport(Target(url=process.stdout.readline().strip())), timeout=5)
        assert len((await connection.offer(5)).items) == 14
        await connection.close()
        process.kill()


def test_unknown_options_are_refused() -> None:
    with pytest.raises(SystemExit):
        options(["--no-such-fault"])


@pytest.mark.slow
async def test_the_official_client_understands_it() -> None:
    from mcp import ClientSession
    from mcp.client.sse import sse_client

    async with (
        serving("sse") as (url, front),
        sse_client(url) as (reading, writing),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        assert (await session.call_tool("add", {"a": 1, "b": 2})).structured_content == {"sum": 3}
        assert len(front.talks) == 1
