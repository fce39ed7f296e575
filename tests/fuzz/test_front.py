"""Any request over HTTP gets one answer, and the same one on the short way (``quick.py``) as on the long."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.bench import EXAMPLES, Bench, Fronts, Reply
from tests.fuzz.requests import JUNK, MESSAGES
from tests.fuzz.texts import answers, mangled, mostly, verbatim

from vsm_mcp.wire import header

MODERN = b"2026-07-28"
HELLO = b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}'


class Sent(NamedTuple):
    """A request: what its headers say, and its body. ``agree``: the headers repeat what is in the body."""

    body: bytes
    era: bytes
    agree: bool
    accept: bytes
    kind: bytes
    path: bytes
    more: bytes

    def head(self, session: bytes) -> bytes:
        """Return the head; a request of the older eras belongs to ``session``."""
        fields = [b"Host: 127.0.0.1", b"Content-Length: %d" % len(self.body), b"Content-Type: " + self.kind]
        if self.era:
            fields.append(b"MCP-Protocol-Version: " + self.era)
        if self.agree:
            method, name = _repeated(self.body)
            fields += [b"Mcp-Method: " + method, b"Mcp-Name: " + name, b"Mcp-Session-Id: " + session]
        if self.accept:
            fields.append(b"Accept: " + self.accept)
        if self.more:
            fields.append(self.more)
        return b"\r\n".join((b"POST %b HTTP/1.1" % self.path, *fields, b"", b""))


def _repeated(body: bytes) -> tuple[bytes, bytes]:
    """Return what the headers of a modern request have to say about its body."""
    try:
        value = verbatim(body)
        params = value.get("params") or {}
        method = value["method"] if value["method"].isprintable() else ""
        return method.encode("ascii"), header.encode(params.get("name", params.get("uri", ""))).encode()
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return b"", b""


def one_of(*words: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from(words)


EVENTS = b"text/event-stream"
BOTH = b"application/json, text/event-stream"
PLAIN = b"application/json"
TWICE = (b"Mcp-Method: tools/call", b"Mcp-Name: old__echo", b"Mcp-Session-Id: x", b"Origin: null")
SENT = st.builds(
    Sent,
    body=mostly(mangled(MESSAGES), JUNK),
    era=mostly(one_of(MODERN, b""), one_of(b"2025-06-18", b"2030-01-01", b"\x80")),
    agree=mostly(st.just(True), st.just(False)),
    accept=mostly(one_of(BOTH), one_of(b"", PLAIN, EVENTS, b"image/png")),
    kind=mostly(one_of(PLAIN), one_of(b"application/json; charset=utf-8", b"text/plain", b"Application/JSON")),
    path=mostly(one_of(b"/mcp"), one_of(b"/mcp/search", b"/mcp/none", b"/mc%70", b"/messages")),
    more=mostly(one_of(b""), one_of(*TWICE)),
)


async def session_of(found: Fronts) -> bytes:
    """Return a session that is open."""
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return (await found.clients[1].ask(head % len(HELLO), HELLO)).header(b"mcp-session-id")


def shown(reply: Reply) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    """Return what has to be the same on both ways: everything but the name of a new session."""
    headers = tuple((name, b"" if name == b"mcp-session-id" else value) for name, value in reply.headers)
    return reply.status, headers, reply.body


def assert_answers(sent: Sent, reply: Reply) -> None:
    """The last message of an answer is a response or an error with the request's id, unless HTTP itself refused."""
    body = reply.body
    if reply.header(b"content-type") == b"text/event-stream":
        body = [part for part in body.split(b"\r\n\r\n") if part.startswith(b"event: message")][-1].partition(
            b"data: "
        )[2]
    if reply.status == 202:
        assert not body
        return
    answer = verbatim(body)
    assert ("result" in answer) != ("error" in answer)
    assert answers(answer, sent.body) or (reply.status in {403, 404, 415} and answer["id"] is None)


@settings(max_examples=EXAMPLES or 400, deadline=None)
@given(SENT)
def test_both_ways_answer_alike(bench: Bench, served: Fronts, sent: Sent) -> None:
    async def attempt() -> None:
        head = sent.head(await session_of(served))
        endless = b"listen" in sent.body
        quick, long = [await client.ask(head, sent.body, endless=endless) for client in served.clients]
        assert shown(quick) == shown(long)
        if not endless:
            assert_answers(sent, quick)

    bench.run(attempt())


@settings(max_examples=EXAMPLES or 150, deadline=None)
@given(SENT, mostly(st.just(True), st.just(False)))
def test_both_ways_answer_alike_where_everybody_is_asked(bench: Bench, served: Fronts, sent: Sent, keyed: bool) -> None:
    async def attempt() -> None:
        opening = sent._replace(body=HELLO, era=b"", agree=False, accept=b"", more=b"", path=b"/mcp").head(b"")
        field = served.field if keyed else b""
        hello = await served.locked[1].ask(opening[:-2] + served.field + b"\r\n", HELLO)
        head = sent.head(hello.header(b"mcp-session-id"))[:-2] + field + b"\r\n"
        endless = b"listen" in sent.body
        quick, long = [await client.ask(head, sent.body, endless=endless) for client in served.locked]
        assert shown(quick) == shown(long)
        assert keyed or quick.status in {401, 403}

    bench.run(attempt())


@settings(max_examples=EXAMPLES or 60, deadline=None)
@given(SENT, st.lists(st.floats(0, 1), max_size=6))
def test_a_request_in_any_pieces_is_the_same_request(
    bench: Bench, served: Fronts, sent: Sent, places: list[float]
) -> None:
    async def attempt() -> None:
        head = sent.head(await session_of(served))
        endless = b"listen" in sent.body
        cuts = tuple(sorted(int(place * len(head + sent.body)) for place in places))
        whole = await served.clients[0].ask(head, sent.body, endless=endless)
        assert shown(await served.clients[0].ask(head, sent.body, endless=endless, cuts=cuts)) == shown(whole)

    bench.run(attempt())


def test_nothing_is_left_behind(bench: Bench, served: Fronts) -> None:
    async def settle() -> None:
        while served.held():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    bench.run(settle())
