"""Readers of events: each gets what it wants, once and in order; whoever is away or slow is told."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.events import ServerStopped, ToolsChanged
from vsm_mcp.web.stream import EventStream, Reader, Wanted, notice

ALL = Wanted()


async def taken(reader: Reader) -> list[int]:
    return [entry.number for entry in await reader.take(0.0)]


async def everything(reader: Reader) -> list[int]:
    found: list[int] = []
    while more := await taken(reader):
        found += more
    return found


async def test_a_reader_gets_what_comes_from_now_on() -> None:
    stream = EventStream(10)
    stream(ToolsChanged(server="a"))
    reader = stream.read(ALL)
    assert await taken(reader) == []
    stream(ToolsChanged(server="a"))
    assert await taken(reader) == [2]
    stream.leave(reader)
    stream(ToolsChanged(server="a"))
    assert await taken(reader) == []


async def test_only_what_is_wanted_comes() -> None:
    stream = EventStream(10)
    stops = stream.read(Wanted(frozenset({"ServerStopped"}), frozenset({"a"})))
    stream(ToolsChanged(server="a"))
    stream(ServerStopped(server="b", reason=""))
    stream(ServerStopped(server="a", reason=""))
    assert await taken(stops) == [3]


@given(kept=st.integers(1, 20), published=st.integers(0, 40), have=st.integers(0, 40))
async def test_coming_back_loses_nothing_that_is_kept_and_says_what_is_lost(
    kept: int, published: int, have: int
) -> None:
    have = min(have, published)
    stream = EventStream(kept)
    for _ in range(published):
        stream(ToolsChanged(server="a"))
    last = stream.ident(stream._kept[-1]).rpartition("-")[0] + f"-{have}" if published else ""
    reader = stream.read(ALL, last)
    found = await everything(reader)
    expected = list(range(max(have, published - kept) + 1, published + 1)) if published else []
    assert found == expected
    assert reader.missed == (max(0, published - kept - have) if published else 0)
    stream(ToolsChanged(server="a"))
    assert await taken(reader) == [published + 1]


async def test_an_id_of_another_process_gets_everything_and_a_word() -> None:
    stream = EventStream(3)
    for _ in range(5):
        stream(ToolsChanged(server="a"))
    reader = stream.read(ALL, "otherprocess-4")
    assert await everything(reader) == [3, 4, 5]
    assert json.loads(notice(reader)) == {"event": "EventsMissed", "missed": -1}


async def test_a_slow_reader_is_cut_off_and_nobody_else() -> None:
    stream = EventStream(10)
    slow, quick = stream.read(ALL), stream.read(ALL)
    for _ in range(1001):
        stream(ToolsChanged(server="a"))
        await quick.take(0.0)
    assert slow.over
    assert await taken(slow) == []
    assert json.loads(notice(slow))["event"] == "ReaderTooSlow"
    assert (stream.dropped, quick.over, stream.readers) == (1, False, {quick})


async def test_the_end_of_the_daemon_ends_every_stream_once_all_is_read() -> None:
    stream = EventStream(10)
    reader = stream.read(ALL)
    stream(ToolsChanged(server="a"))
    stream.close()
    assert not reader.over
    assert await taken(reader) == [1]
    assert reader.over
    late = stream.read(ALL, kept=True)
    assert await everything(late) == [1]
    assert late.over


async def test_a_document_names_the_event_and_when_it_was() -> None:
    stream = EventStream(2)
    stream(ServerStopped(server="ä", reason="it was asked to"))
    (entry,) = await stream.read(ALL, kept=True).take(0.0)
    shown = json.loads(stream.document(entry))
    assert shown["event"] == "ServerStopped"
    assert shown["server"] == "ä"
    assert shown["id"] == stream.ident(entry)
    assert shown["at"] > 1e9
    stream.configure(1)
    stream(ToolsChanged(server="a"))
    assert await everything(stream.read(ALL, kept=True)) == [2]
