"""Which era a server speaks: every answer to the probe that is known of."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.errors import ProtocolError, RequestTimeout, RpcError, TransportError
from vsm_mcp.wire import era as eras
from vsm_mcp.wire.negotiate import connect

Start = Callable[..., Any]


def methods(record: Path) -> list[str]:
    return [json.loads(line)["method"] for line in record.read_text().splitlines()]


@pytest.mark.parametrize(
    ("faults", "known", "era", "asked"),
    [
        (["--mode=modern"], None, "modern", ["server/discover"]),
        (["--mode=both"], None, "modern", ["server/discover"]),
        (["--mode=both"], "modern", "modern", ["server/discover"]),
        (["--mode=both"], "legacy", "legacy", ["initialize", "notifications/initialized"]),
        (["--mode=legacy"], None, "legacy", ["server/discover", "initialize", "notifications/initialized"]),
        (["--mode=legacy"], "modern", "legacy", ["server/discover", "initialize", "notifications/initialized"]),
        (["--discover-code=-32602"], None, "legacy", ["server/discover", "initialize", "notifications/initialized"]),
        (["--mode=modern", "--refuse-first-discover"], None, "modern", ["server/discover"] * 2),
        (["--mode=modern"], "legacy", "modern", ["initialize", "server/discover"]),
    ],
)
async def test_eras(
    start: Start, tmp_path: Path, faults: list[str], known: str | None, era: str, asked: list[str]
) -> None:
    record = tmp_path / "lines"
    connection = await start(*faults, "--instructions", "Be kind.", "--record", str(record)).connect(known_era=known)
    assert connection.era == era
    assert connection.protocol == {"modern": "2026-07-28", "legacy": "2025-11-25"}[era]
    assert connection.server_info == {"name": "faulty", "version": "1.0"}
    assert connection.instructions == "Be kind."
    assert "tools" in connection.capabilities
    await connection.request("tools/list", timeout=5)
    assert methods(record) == [*asked, "tools/list"]


async def test_a_server_that_ignores_the_probe(start: Start) -> None:
    began = time.monotonic()
    connection = await start("--hang-on", "server/discover").connect(within=1.5)
    assert connection.era == "legacy"
    assert 0.4 < time.monotonic() - began < 1.5


async def test_a_modern_server_that_is_slower_than_the_probe(start: Start) -> None:
    connection = await start("--mode", "modern", "--start-delay", "0.7").connect(within=1.8)
    assert connection.era == "modern"


async def test_a_server_that_dies_of_the_probe(start: Start) -> None:
    with pytest.raises(TransportError, match="closed its output"):
        await start("--die-on", "server/discover").connect()
    connection = await start("--die-on", "server/discover").connect(known_era="legacy")
    assert connection.era == "legacy"


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_older_version(start: Start, version: str) -> None:
    connection = await start("--protocol", version).connect()
    assert connection.protocol == version


@pytest.mark.parametrize(
    ("faults", "known"),
    [
        (["--protocol", "1999-01-01"], None),
        (["--protocol", "2026-07-28"], "legacy"),
        (["--mode=modern", "--only-version", "2031-01-01"], None),
    ],
)
async def test_no_shared_version(start: Start, faults: list[str], known: str | None) -> None:
    with pytest.raises(ProtocolError, match="no shared protocol version") as refused:
        await start(*faults).connect(known_era=known)
    assert faults[-1] in refused.value.message


async def test_a_server_that_refuses_both(start: Start) -> None:
    with pytest.raises(RpcError) as refused:
        await start("--mode=modern", "--only-version", "2031-01-01").connect(known_era="legacy")
    assert refused.value.rpc_code == -32022


@pytest.mark.parametrize("fault", ["--hang-on=initialize", "--start-delay=60"])
async def test_a_server_that_never_answers(start: Start, fault: str) -> None:
    began = time.monotonic()
    with pytest.raises(RequestTimeout):
        await start(fault).connect(within=0.6)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("fault", ["--die-at-start=No module named x", "--print-at-start=Usage: x"])
async def test_a_program_that_is_no_server(start: Start, fault: str) -> None:
    with pytest.raises(TransportError):
        await start(fault).connect()


@pytest.mark.parametrize(
    "answer",
    [
        b'"result":7',
        b'"result":{}',
        b'"result":{"supportedVersions":"x"}',
        b'"result":{"supportedVersions":["2025-11-25"]}',
    ]
    + [
        b'"error":{"code":-32022,"message":"","data":%b}' % data
        for data in (b"7", b'{"supported":["2025-11-25"]}', b"{}")
    ]
    + [b'"error":{"code":0}', b'"error":"no"'],
)
async def test_odd_answers_to_the_probe_mean_an_older_server(peer: Any, answer: bytes) -> None:
    connecting = asyncio.create_task(connect(peer.transport, timeout=5))
    probe = await peer.line()
    peer.write(b'{"jsonrpc":"2.0","id":%d,%b}\n' % (probe["id"], answer))
    hello = await peer.line()
    assert hello["method"] == "initialize"
    assert "_meta" not in hello["params"]
    assert hello["params"]["protocolVersion"] == "2025-11-25"
    assert hello["params"]["capabilities"] == eras.HANDSHAKE_CAPABILITIES
    peer.write(b'{"jsonrpc":"2.0","id":%d,"result":{"protocolVersion":"2025-06-18","capabilities":[]}}\n' % hello["id"])
    connection = await connecting
    assert (connection.protocol, connection.capabilities, connection.server_info) == ("2025-06-18", {}, {})
    assert (await peer.line())["method"] == "notifications/initialized"
    peer.hang_up()
    await connection.close()


async def test_a_handshake_without_sense(peer: Any) -> None:
    connecting = asyncio.create_task(connect(peer.transport, timeout=5, known_era="legacy"))
    hello = await peer.line()
    peer.write(b'{"jsonrpc":"2.0","id":%d,"result":[]}\n' % hello["id"])
    with pytest.raises(ProtocolError, match="malformed"):
        await connecting


@pytest.mark.parametrize(
    ("refusal", "modern"),
    [
        (b'{"code":-32020,"message":"Missing MCP-Protocol-Version header"}', True),
        (b'{"code":-32022,"message":"","data":{"supported":["2026-07-28"]}}', True),
        (b'{"code":-32022,"message":"","data":{"supported":["2031-01-01"]}}', False),
        (b'{"code":-32601,"message":"Method not found"}', False),
    ],
)
async def test_a_server_too_slow_for_the_probe_is_modern_if_its_refusal_says_so(
    peer: Any, refusal: bytes, modern: bool
) -> None:
    connecting = asyncio.create_task(connect(peer.transport, timeout=0.9))
    assert (await peer.line())["method"] == "server/discover"  # and is not answered
    while (hello := await peer.line())["method"] != "initialize":
        assert hello["method"] == "notifications/cancelled"
    peer.write(b'{"jsonrpc":"2.0","id":%d,"error":%b}\n' % (hello["id"], refusal))
    if modern:
        again = await peer.line()
        assert again["method"] == "server/discover"
        result = b'{"supportedVersions":["2026-07-28"],"capabilities":{}}'
        peer.write(b'{"jsonrpc":"2.0","id":%d,"result":%b}\n' % (again["id"], result))
        connection = await connecting
        assert connection.era == "modern"
        await connection.close()
    else:
        with pytest.raises(RpcError):
            await connecting
