"""Lines: any bytes in any pieces are cut into the same lines, and each request among them gets its one answer."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.bench import EXAMPLES, Bench, Fronts
from tests.fuzz.requests import JUNK, MESSAGES, META
from tests.fuzz.texts import ident_of, mangled, mostly, surely, verbatim

from vsm_mcp.gateway.pipes import Lines
from vsm_mcp.gateway.stdio import serve_stdio

LINES = st.lists(mostly(mangled(MESSAGES), JUNK).map(lambda line: line.replace(b"\n", b" ")), max_size=5)
PLACES = st.lists(st.floats(0, 1), max_size=6)
HELLO = b'{"jsonrpc":"2.0","id":"hello","method":"%b","params":%b}'
LEGACY = HELLO % (b"initialize", b'{"protocolVersion":"2025-06-18","capabilities":{}}')
LIMIT = 100_000


def pieces(whole: bytes, places: list[float]) -> list[bytes]:
    """Cut bytes into pieces."""
    cuts = [0, *sorted(int(place * len(whole)) for place in places), len(whole)]
    return [whole[a:b] for a, b in pairwise(cuts)]


@settings(max_examples=EXAMPLES or 60, deadline=None)
@given(st.lists(st.binary(max_size=30) | st.just(b"x" * 60), max_size=6), PLACES)
def test_lines_do_not_depend_on_the_pieces(bench: Bench, lines: list[bytes], places: list[float]) -> None:
    whole = b"\n".join(lines)

    async def attempt() -> None:
        found: list[bytes | None] = []
        reader = Lines(found.append, 50)
        for piece in pieces(whole, places):
            reader.data_received(piece)
        reader.connection_lost(None)
        kept = [line for line in whole.split(b"\n") if len(line) > 50 or line.strip()]
        assert found == [line if len(line) <= 50 else None for line in kept]
        assert reader.ended.done()

    bench.run(attempt())


async def said(gateway: Any, whole: list[bytes]) -> bytes:
    """Return everything that a gateway says over stdio to a client that says this and closes its end."""
    to_gateway, to_client = os.pipe(), os.pipe()
    serving = asyncio.ensure_future(serve_stdio(gateway, to_gateway[0], to_client[1]))
    reader = asyncio.StreamReader(limit=1 << 26)
    loop = asyncio.get_running_loop()
    reading, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(to_client[0], "rb")
    )
    writing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(to_gateway[1], "wb"))
    for piece in whole:
        writing.write(piece)
        await asyncio.sleep(0)
    writing.close()
    answers = await reader.read()
    await serving
    reading.close()
    return answers


@settings(max_examples=EXAMPLES or 150, deadline=None)
@given(LINES, PLACES, META, st.booleans())
def test_every_request_gets_its_answer(
    bench: Bench, served: Fronts, lines: list[bytes], places: list[float], meta: str, modern: bool
) -> None:
    first = HELLO % (b"server/discover", b'{"_meta":%b}' % meta.encode("utf-8", "surrogatepass")) if modern else LEGACY
    answers = bench.run(said(served.gateway, pieces(b"\n".join([first, *lines]), places)))
    messages = [verbatim(line) for line in answers.splitlines()]
    given = Counter(message["id"] for message in messages if "method" not in message)
    assert given.pop("hello") >= 1
    unnamed = given.pop(None, 0)
    wanted = Counter(ident for ident in map(ident_of, lines) if ident is not None)
    endless = any(b"listen" in line for line in lines)
    for ident, times in wanted.items():
        if surely(ident) and not endless:
            assert given[ident] == times
        assert given[ident] <= times
    assert set(given) <= set(wanted) | {"hello"}
    assert unnamed <= len(lines)
