from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.fuzz.bench import Bench, Fronts, fronts

from vsm_mcp.model.profile import Profile

PARROT = str(Path(__file__).with_name("parrot.py"))
SERVERS: dict[str, list[str] | str] = {
    "old": ["--mode", "legacy"],
    "new": ["--mode", "modern"],
    "loud": ["--progress", "2"],
    "odd": ["--mode", "modern", "--half-modern"],
    "legacy": ["--", sys.executable, PARROT, "legacy"],
    "modern": ["--", sys.executable, PARROT, "modern"],
}


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """The loop that all examples run in."""
    with Bench() as made:
        yield made


@pytest.fixture(scope="session")
def served(bench: Bench) -> Iterator[Fronts]:
    """A gateway in front of servers of all kinds."""
    stack = AsyncExitStack()

    async def start() -> Fronts:
        return await fronts(stack, SERVERS, profiles={"search": Profile(mode="search")})

    found = bench.run(start())
    yield found
    try:
        for client in (*found.clients, *found.locked):
            bench.run(client.close())
    finally:  # a loop that is closed while servers run does not end
        bench.run(stack.aclose())
