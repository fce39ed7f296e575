"""Both eras against the official SDK's server: over stdio, streamable HTTP and HTTP+SSE."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from tests.unit.wire.hearing import Hearing

from vsm_mcp.errors import RequestTimeout, RpcError
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.http_sse import HttpSseTransport
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.transport import Target

Start = Callable[..., Any]
pytestmark = pytest.mark.slow  # importing the SDK takes a server two seconds

VERSION = {"modern": "2026-07-28", "legacy": "2025-11-25"}


@pytest.fixture(params=["stdio-modern", "stdio-legacy", "http-modern", "http-legacy", "sse-legacy"])
async def connection(request: pytest.FixtureRequest, start_sdk: Start, sdk_url: str) -> AsyncIterator[Connection]:
    way, _, era = request.param.partition("-")
    known = None if era == "modern" else "legacy"
    if way == "stdio":
        made = await start_sdk().connect(known_era=known)
    elif way == "sse":
        target = Target(url=sdk_url.replace("/mcp", "/sse"))
        made = await connect(HttpSseTransport(target), timeout=10, known_era=known)
    else:
        made = await connect(HttpTransport(sdk_url), timeout=10, known_era=known)
    assert (made.era, made.protocol) == (era, VERSION[era])
    yield made
    await made.close()


def text(result: Raw) -> str:
    body: dict[str, Any] = msgspec.json.decode(result)
    return str(body["content"][0]["text"])


async def test_everything(connection: Connection, until: Callable[..., Any]) -> None:
    assert connection.server_info["name"] == "sdk"
    assert connection.instructions == "Be kind."

    offer = await connection.offer(10)
    names = [item.name for item in offer.of(ItemKind.TOOL)]
    assert names[:3] == ["echo", "where", "progress"]  # over two pages
    assert (offer.server_name, offer.server_version, offer.protocol) == ("sdk", "1.0", connection.protocol)

    # The arguments are spliced raw, in a caller's own spelling; answers come to whom they belong.
    texts = [f"a{n} é" for n in range(200)]
    arguments = [Raw(msgspec.json.encode({"text": text}).replace(b":", b" :\n ", 1)) for text in texts]
    calls = (connection.request("tools/call", {"name": "echo", "arguments": a}, timeout=20) for a in arguments)
    assert [text(result) for result in await asyncio.gather(*calls)] == texts

    # A header repeats this argument over HTTP; the server checks it against the body.
    where = {"name": "where", "arguments": {"region": "Zürich"}}
    assert text(await connection.request("tools/call", where, timeout=10)) == "where"

    with pytest.raises(RpcError) as unknown:
        await connection.request("no/such/method", timeout=10)
    assert unknown.value.rpc_code == -32601

    heard: list[tuple[str, dict[str, Any]]] = []

    def listen(method: str, params: Raw) -> None:
        heard.append((method, msgspec.json.decode(params)))

    await connection.request("tools/call", {"name": "progress"}, timeout=10, dialogue=Hearing(listen))
    assert [(method, params["progress"]) for method, params in heard] == [
        ("notifications/progress", n) for n in (1, 2, 3)
    ]

    with pytest.raises(RequestTimeout):
        await connection.request("tools/call", {"name": "sleep", "arguments": {"seconds": 30}}, timeout=0.1)
    assert text(await connection.request("tools/call", {"name": "echo"}, timeout=10)) == "echo"
    assert connection.in_flight == 0
    await change_of_the_list(connection, until)


async def change_of_the_list(connection: Connection, until: Callable[..., Any]) -> None:
    news: list[str] = []
    connection.on_change = news.append
    await until(lambda: connection.in_flight == (1 if connection.era == "modern" else 0))
    for _ in range(50):  # the subscription, or the stream for news, is open a moment after it was asked for
        await connection.request("tools/call", {"name": "change"}, timeout=10)
        if news:
            break
        await asyncio.sleep(0.02)
    assert news and set(news) == {"tools"}
