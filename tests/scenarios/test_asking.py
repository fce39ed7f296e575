"""Clients of both eras who are asked at the same time by one server of the handshake versions, which cannot tell them
apart: the whole program, real processes, and everybody answers for himself."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.scenarios.homes import Home

from vsm_mcp.testing import curious

pytestmark = pytest.mark.slow


async def asked(url: str, mode: str, name: str, rounds: int) -> list[Any]:
    """Call a tool that asks, ``rounds`` times; everything is answered with ``name``."""
    from mcp import Client
    from mcp.types import ElicitResult

    async def elicit(context: Any, params: Any) -> Any:
        await asyncio.sleep(0.05)  # who thinks, and meanwhile others are asked
        return ElicitResult(action="accept", content={"name": name})

    heard: list[Any] = []
    async with Client(url, mode=mode, elicitation_callback=elicit) as client:
        for _ in range(rounds):
            result: Any = await client.call_tool("curious__ask", {"count": 2})
            heard += [result.content[0].text] if result.is_error else json.loads(result.content[0].text)
    return heard


async def test_everybody_is_asked_for_himself(home: Home) -> None:
    added = home.run("add", f"cmd:{sys.executable} {curious.__file__}", "--name", "curious", "--yes")
    assert added.document["outcome"] == "served", added
    url = home.serve()
    async with asyncio.timeout(60):
        # The first question shows that this server asks; from then on each client has a process of it to itself.
        assert await asked(url, "legacy", "first", 1) == [{"action": "accept", "content": {"name": "first"}}] * 2
        names = [(f"{mode[:4]}-{number}", mode) for number in range(3) for mode in ("legacy", "2026-07-28")]
        heard = await asyncio.gather(*(asked(url, mode, name, 3) for name, mode in names))
        for (name, _), answers in zip(names, heard, strict=True):
            assert answers == [{"action": "accept", "content": {"name": name}}] * 6
    assert home.run("inspect", "curious").document["server"]["stateful_by"] == "observed"


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
async def test_news_of_roots_reach_the_process_that_works_for_their_client(home: Home) -> None:
    added = home.run("add", f"cmd:{sys.executable} {curious.__file__}", "--name", "curious", "--yes", "--stateful")
    assert added.document["outcome"] == "served", added
    url = home.serve()
    async with asyncio.timeout(60), with_roots(url) as told, with_roots(url) as other:
        for client in (told, other):
            assert await heard(client) == ["notifications/initialized"]
        await told.send_roots_list_changed()
        while "notifications/roots/list_changed" not in await heard(told):
            pass
        assert await heard(other) == ["notifications/initialized"]


@asynccontextmanager
async def with_roots(url: str) -> AsyncIterator[Any]:
    """Connect as a client of the handshake versions that has roots."""
    from mcp import Client
    from mcp.types import ListRootsResult

    async def roots(context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[])

    async with Client(url, mode="legacy", list_roots_callback=roots) as client:
        yield client


async def heard(client: Any) -> list[str]:
    result = await client.call_tool("curious__heard", {})
    methods: list[str] = json.loads(result.content[0].text)
    return methods
