"""Calls over both lines against servers that answer wrongly, twice, late or not at all: every one is counted."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from vsm_mcp.bench import block
from vsm_mcp.bench.conversation import Conversation, numbers
from vsm_mcp.bench.http_line import HttpLine, Place
from vsm_mcp.bench.programs import PORT, Program
from vsm_mcp.bench.question import EchoQuestion, echo_among
from vsm_mcp.bench.stage import Stage
from vsm_mcp.bench.subject import Subject
from vsm_mcp.bench.tally import Tally
from vsm_mcp.errors import BadArgument, RpcError, TransportError
from vsm_mcp.testing import faulty
from vsm_mcp.testing.faulty_http import serving

ECHO = EchoQuestion("echo", "text", 100)


def counted(tally: Tally) -> dict[str, int]:
    return {fate: count for fate, count in tally.counts.items() if count}


async def asked(conversation: Conversation, tally: Tally, clients: int = 1, size: int = 100) -> block.Run:
    found = echo_among(await conversation.tools())
    assert found is not None
    question = EchoQuestion(*found, size)
    return await block.run([conversation] * clients, question, 0.1, tally, patience=0.3)


@asynccontextmanager
async def over_pipes(*faults: str) -> AsyncIterator[tuple[Conversation, Tally]]:
    async with asyncio.timeout(30), Stage(os.environ) as stage:
        started = await stage.start(Program(argv=(sys.executable, faulty.__file__, *faults)))
        try:
            yield started.conversation, started.tally
        finally:
            started.conversation.line.close()


@pytest.mark.parametrize("clients", [1, 8])
@pytest.mark.parametrize("faults", [(), ("--junk",), ("--progress", "3")])
async def test_over_pipes_all_are_right(clients: int, faults: tuple[str, ...]) -> None:
    async with over_pipes(*faults) as (conversation, tally):
        run = await asked(conversation, tally, clients)
    assert counted(tally) == {"right": len(run.latencies)}
    assert len(run.latencies) >= clients
    assert all(0 < latency < 5 for latency in run.latencies)


@pytest.mark.parametrize(
    ("fault", "fates"),
    [
        ("--wrong-id", {"lost", "doubled"}),
        ("--twice", {"right", "doubled"}),
        ("--no-answer", {"lost"}),
        ("--half-line", {"lost"}),
        ("--refuse=tools/call", {"failed"}),
    ],
)
async def test_over_pipes_every_fault_is_counted(fault: str, fates: set[str]) -> None:
    async with over_pipes(fault) as (conversation, tally):
        await asked(conversation, tally)
    assert set(counted(tally)) == fates
    assert len(tally.examples) <= 5
    assert tally.faults == sum(tally.counts.values()) - tally.counts["right"] > 0


async def test_an_answer_that_comes_after_its_call_was_given_up_is_not_counted_again() -> None:
    async with over_pipes("--slow-on", "tools/call=0.2") as (conversation, tally):
        seen: list[object] = []
        number = next(numbers)
        conversation.call(number, ECHO.message(number), lambda *said: seen.append(said))
        conversation.forget(number)
        await conversation.request("tools/call", {"name": "echo", "arguments": {"text": "later"}})
    assert not seen
    assert counted(tally) == {}


@asynccontextmanager
async def over_http(*faults: str) -> AsyncIterator[tuple[Conversation, Tally, Any]]:
    tally = Tally()
    async with asyncio.timeout(30), serving(*faults) as (url, endpoint):
        conversation = await Conversation.over(partial(HttpLine.to, Place.of(url)), tally)
        try:
            yield conversation, tally, endpoint
        finally:
            conversation.line.close()


@pytest.mark.parametrize("faults", [(), ("--sse",), ("--sse", "--crlf"), ("--sessions",), ("--sse", "--progress", "3")])
async def test_over_http_all_are_right(faults: tuple[str, ...]) -> None:
    async with over_http(*faults) as (conversation, tally, endpoint):
        run = await asked(conversation, tally)
        headers = {name.lower(): value for name, value in endpoint.seen[-1][0].items()}
        assert headers["mcp-protocol-version"] == "2025-11-25"
        assert ("mcp-session-id" in headers) is ("--sessions" in faults)
    assert counted(tally) == {"right": len(run.latencies)}
    assert run.latencies


@pytest.mark.parametrize(
    ("faults", "fates", "words"),
    [
        (("--html",), {"lost"}, "<html>"),
        (("--status", "tools/call=503"), {"failed"}, "HTTP 503"),
        (("--sse", "--cut"), {"lost"}, "held no answer"),
    ],
)
async def test_over_http_every_fault_is_counted(faults: tuple[str, ...], fates: set[str], words: str) -> None:
    async with over_http(*faults) as (conversation, tally, _):
        await asked(conversation, tally)
    assert set(counted(tally)) == fates
    assert any(words in example for example in tally.examples)


async def test_a_server_without_a_handshake_is_told_apart() -> None:
    with pytest.raises(RpcError, match="initialize was refused"):
        async with over_http("--mode", "modern"):
            pass


async def test_a_megabyte_both_ways() -> None:
    async with over_http() as (conversation, tally, _):
        await asked(conversation, tally, size=1 << 20)
    assert set(counted(tally)) == {"right"}


async def test_a_subject_opens_what_it_needs_and_opens_it_again() -> None:
    async with asyncio.timeout(30), serving("--sessions") as (url, _):
        connect = partial(HttpLine.to, Place.of(url))
        subject = Subject("http", "HTTP", partial(EchoQuestion, "echo", "text")).connecting(connect)
        first = await subject.conversations(3)
        assert len(set(first)) == 3
        first[0].line.close()
        again = await subject.conversations(3)
        assert again[:2] == first[1:]
        assert again[2] not in first
        subject.close()
        assert all(each.line.closed for each in again)


async def test_a_program_that_ended_is_no_subject() -> None:
    async with over_pipes() as (conversation, tally):
        subject = Subject("stdio", "stdio", partial(EchoQuestion, "echo", "text")).sharing(conversation, tally)
        assert await subject.conversations(3) == [conversation] * 3
        conversation.line.close()
        with pytest.raises(TransportError, match="has ended"):
            await subject.conversations(1)


@pytest.mark.parametrize("more", [(), ("--record", PORT)], ids=["over pipes", "over http"])
async def test_a_program_that_does_not_come_up_gives_its_last_words(more: tuple[str, ...]) -> None:
    program = Program(argv=(sys.executable, faulty.__file__, "--die-at-start", "no licence", *more))
    async with asyncio.timeout(30), Stage(os.environ) as stage:
        with pytest.raises(TransportError, match="no licence"):
            await stage.start(program)


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://h/x", "http://", "http://h:port/", "http://u:p@h/", "http://h/\u00e9", "http://h/a b"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(BadArgument):
        Place.of(url)


def test_urls_are_read_and_written() -> None:
    assert Place.of("http://127.0.0.1:8765/mcp/p?x=1").url == "http://127.0.0.1:8765/mcp/p?x=1"
    assert Place.of("https://[::1]").url == "https://[::1]:443/"
    assert "s3cret" not in repr(Place.of("http://h/mcp", "s3cret"))
