"""Server-sent events: how the bytes are cut makes no difference."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.errors import ProtocolError
from vsm_mcp.wire.sse import SseReader

STREAM = (
    b"\xef\xbb\xbfdata: first\n\n: a comment\n\nevent: message\nid: 7\ndata: one\ndata:two\ndata:  three\n\n"
    b"event: ping\ndata: not ours\n\nid: 8\nretry: 1500\ndata:\n\nretry: soon\nid: a\0b\ndata\n\ndata: last\n\n"
    b"data: cut off"
)
FOUND = [b"first", b"one\ntwo\n three", b"last"]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM) * 2)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_cut_and_any_line_ending(cuts: list[int], ending: bytes) -> None:
    stream = STREAM.replace(b"\n", ending)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    reader = SseReader(1000)
    found = [data for a, b in pairwise(places) for data in reader.feed(stream[a:b])]
    assert found == FOUND
    assert (reader.last_id, reader.retry) == ("8", 1.5)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes(chunks: list[bytes]) -> None:
    reader = SseReader(10_000)
    for chunk in chunks:
        reader.feed(chunk)


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 99 + b"\n", b"x" * 99, b"data\n" * 99])
def test_an_event_has_an_end(endless: bytes) -> None:
    reader = SseReader(1000)
    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        for _ in range(11):
            reader.feed(endless)
