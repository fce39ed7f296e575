"""TCP: lines over a socket. What lines are is tested with pipes; here is what a socket adds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from vsm_mcp.errors import BadArgument, RequestTimeout, TransportError
from vsm_mcp.runtime.transports import transports_to
from vsm_mcp.testing.faulty_fronts import serving
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.tcp import TcpTransport
from vsm_mcp.wire.transport import Head, Target

REQUEST = Head(kind="request", method="x", id=1)


async def test_a_conversation(until: Any) -> None:
    async with serving("tcp", "--mode=both") as (url, front):
        connection = await connect(TcpTransport(Target(url=url)), timeout=5)
        assert connection.era == "modern"
        with pytest.raises(RequestTimeout):
            await connection.request("tools/call", {"name": "slow", "arguments": {"seconds": 9}}, timeout=0.1)
        await until(lambda: front.seen[-1]["method"] == "notifications/cancelled")
        await connection.close()
        await connection.close()


@pytest.mark.parametrize("server_ends_it", [True, False])
async def test_either_side_may_end_it(server_ends_it: bool, until: Any) -> None:
    async with serving("tcp") as (url, front):
        lost: list[str] = []
        transport = TcpTransport(Target(url=url))
        await transport.open(lambda _line, _about: False, lost.append)
        await until(lambda: front.talks)
        if server_ends_it:
            front.talks[-1].leave()
            await until(lambda: lost)
            with pytest.raises(TransportError, match="closed"):
                await transport.send(b"{}", REQUEST)
        await transport.close()
        assert lost == ["the server closed its output"]  # as one that hears of our end does in turn


async def test_a_server_that_does_not_read_holds_up_nobody_else() -> None:
    async with serving("tcp", "--no-read") as (url, _):
        connection = await connect(TcpTransport(Target(url=url)), timeout=5, known_era="legacy")
        big = {"name": "echo", "arguments": {"text": "x" * 20_000_000}}
        with pytest.raises(RequestTimeout):
            await connection.request("tools/call", big, timeout=0.3)
        waiting = asyncio.ensure_future(connection.request("tools/call", big, timeout=5))
        await asyncio.sleep(0)
        await asyncio.wait_for(connection.close(), 3)
        with pytest.raises(TransportError):
            await waiting


def test_keys_have_no_place() -> None:
    with pytest.raises(BadArgument, match="takes no Authorization") as refused:
        transports_to(Target(url="tcp://h:1", headers={"Authorization": "s3cret"}))
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["tcp://host", "tcp://:7", "tcp://host:0"])
async def test_an_address_without_host_or_port(url: str) -> None:
    with pytest.raises(TransportError, match="names no"):
        await TcpTransport(Target(url=url)).open(lambda _line, _about: False, lambda _reason: None)
