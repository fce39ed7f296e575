"""Lists over several pages, and everything a server offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from vsm_mcp.errors import ProtocolError, RequestTimeout, RpcError
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.wire import listing

Start = Callable[..., Any]
ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])


@ERAS
async def test_an_offer(start: Start, era: str) -> None:
    connection = await start("--mode", era, "--tools", "30", "--pages", "7", "--instructions", "Be kind.").connect()
    offer = await connection.offer(5)
    tools = offer.of(ItemKind.TOOL)
    assert [tool.name for tool in tools[:3]] == ["echo", "add", "slow"]
    assert len({tool.name for tool in tools}) == len(tools) == 38
    assert msgspec.json.decode(tools[1].raw)["inputSchema"]["required"] == ["a", "b"]
    assert tools[1].description == "Adds two numbers."
    assert [item.name for item in offer.of(ItemKind.RESOURCE)] == ["note://one"]
    assert [item.name for item in offer.of(ItemKind.TEMPLATE)] == ["note://{name}"]
    assert [item.name for item in offer.of(ItemKind.PROMPT)] == ["greet"]
    assert (offer.server_name, offer.server_version, offer.instructions) == ("faulty", "1.0", "Be kind.")
    assert offer.protocol == connection.protocol
    assert "tools" in msgspec.json.decode(offer.capabilities)


async def test_an_empty_cursor_ends_an_older_servers_list(start: Start) -> None:
    connection = await start("--empty-cursor").connect()
    assert len(await connection.list("tools/list", "tools")) == 8


@ERAS
async def test_a_cursor_that_repeats(start: Start, era: str) -> None:
    connection = await start("--mode", era, "--pages", "3", "--same-cursor").connect()
    with pytest.raises(ProtocolError, match="repeats a cursor"):
        await connection.list("tools/list", "tools")


async def test_bounds(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await start("--tools", "40", "--pages", "12").connect()
    monkeypatch.setattr(listing, "MAX_PAGES", 11)
    with pytest.raises(ProtocolError, match="more than 11 pages"):
        await connection.list("tools/list", "tools")
    monkeypatch.setattr(listing, "MAX_PAGES", 12)
    assert len(await connection.list("tools/list", "tools")) == 48
    monkeypatch.setattr(listing, "MAX_ITEMS", 47)
    with pytest.raises(ProtocolError, match="more than 47 items"):
        await connection.list("tools/list", "tools")


async def test_the_deadline_covers_all_pages(start: Start) -> None:
    connection = await start("--pages", "8", "--slow-on", "tools/list=0.2").connect()
    with pytest.raises(RequestTimeout):
        await connection.list("tools/list", "tools", timeout=0.5)


async def test_twenty_megabytes_of_tools(start: Start) -> None:
    connection = await start("--big-list", "20000000").connect()
    offer = await connection.offer(20)
    assert len(offer.of(ItemKind.TOOL)[-1].raw) > 20_000_000


async def test_one_bad_item_does_not_lose_the_list(start: Start) -> None:
    connection = await start("--nameless", "--bad-schema").connect()
    names = [tool.name for tool in (await connection.offer(5)).of(ItemKind.TOOL)]
    assert len(names) == 9
    assert "bad" in names


async def test_a_server_that_declares_nothing(start: Start) -> None:
    connection = await start("--no-capabilities").connect()
    offer = await connection.offer(5)
    assert len(offer.of(ItemKind.TOOL)) == len(offer.items) == 8


async def test_a_list_that_hangs(start: Start) -> None:
    connection = await start("--hang-on", "resources/list").connect()
    with pytest.raises(RequestTimeout, match="resources/list"):
        await connection.offer(0.5)


async def test_refused_lists(peer: Any) -> None:
    import asyncio

    connection = await peer.open()
    connection.capabilities = {"resources": {}}
    offering = asyncio.create_task(connection.offer(5))
    for _ in range(2):
        ident = (await peer.line())["id"]
        peer.write(b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"no"}}\n' % ident)
    assert (await offering).items == ()

    offering = asyncio.create_task(connection.offer(5))
    ident = (await peer.line())["id"]
    peer.write(b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32603,"message":"broken"}}\n' % ident)
    with pytest.raises(RpcError, match="broken"):
        await offering
