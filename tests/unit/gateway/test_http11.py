"""HTTP/1.1 as it arrives on a socket: in pieces, ahead of time, malformed, too slowly, or never read."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.gateway.asgi import CLOSE, Receive, Scope, Send, respond, until_disconnected
from vsm_mcp.gateway.http11 import Connection
from vsm_mcp.gateway.opened import Open, Timing
from vsm_mcp.gateway.server import Front

GET = b"GET /x?a=1 HTTP/1.1\r\nHost: h\r\n\r\n"


def post(body: bytes, *fields: bytes) -> bytes:
    head = (b"POST /echo HTTP/1.1", b"Host: h", b"Content-Length: %d" % len(body), *fields)
    return b"\r\n".join((*head, b"", body))


class Application:
    """Answers with what it was asked; ``/slow``, ``/later``, ``/stream`` and the others do as they say."""

    def __init__(self) -> None:
        self.seen: list[Scope] = []
        self.left = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901 - one arm for each
        self.seen.append(scope)
        match scope["path"]:
            case "/fail":
                raise RuntimeError("as asked")
            case "/refuse":
                return await respond(send, 401, b"{}", [CLOSE])
            case "/ignore":
                return await respond(send, 200, b'"ignored"')
            case "/later":
                await asyncio.sleep(0.02)
                return await respond(send, 200, b'"later"')
            case "/slow":
                await until_disconnected(receive)
                return self.left.set()
            case "/big":
                await respond(send, 200, b"x" * 50_000_000)
                return self.left.set()
            case "/stream":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                for part in (b"one", b"two"):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                return await send({"type": "http.response.body", "body": b"", "more_body": False})
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return self.left.set()
            body += message["body"]
            more = message["more_body"]
        return await respond(send, 200, b"%b %b %b" % (scope["method"].encode(), scope["path"].encode(), body))


@asynccontextmanager
async def served(timing: Timing | None = None) -> AsyncIterator[tuple[Application, int]]:
    app, listening = Application(), socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    front = Front(app, grace=0.2, timing=timing)
    await front.open(listening)
    try:
        yield app, listening.getsockname()[1]
    finally:
        await front.close()


async def asked(port: int, *pieces: bytes, pause: float = 0.0, end: bool = True) -> bytes:
    """Send pieces, then read to the end (``end``: the server is expected to close, or we half-close)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read() if end else reader.readuntil(b"}"), 60)
    finally:
        writer.close()


LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


async def test_requests_on_one_connection_are_answered_in_their_order() -> None:
    async with served() as (_, port):
        answer = await asked(port, GET + post(b"12345") + LAST)
    heads = [part.split(b"\r\n")[0] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert heads == [b"200 OK"] * 3
    assert answer.index(b"GET /x ") < answer.index(b"POST /echo 12345") < answer.index(b"GET /last ")


async def test_a_request_may_come_in_any_pieces() -> None:
    whole = post(b"hello") + post(b"again", b"Transfer-Encoding-Not: x") + LAST
    async with served() as (_, port):
        answer = await asked(port, *(whole[at : at + 1] for at in range(len(whole))))
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert b"POST /echo hello" in answer
    assert b"POST /echo again" in answer


async def test_white_space_around_a_field_s_value_is_no_part_of_it() -> None:
    async with served() as (app, port):
        await asked(port, post(b"{}", b"Mcp-Name: \t two words \t ", b"Empty:  ", b"Connection: close"))
        headers = dict(app.seen[0]["headers"])
    assert headers[b"mcp-name"] == b"two words"
    assert headers[b"empty"] == b""


async def test_chunked_bodies_both_ways() -> None:
    chunks = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    stream = b"GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    async with served() as (_, port):
        answer = await asked(port, chunks + stream)
    assert b"POST /echo abcde" in answer
    assert answer.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_http_1_0_gets_no_chunks_and_is_closed() -> None:
    async with served() as (_, port):
        answer = await asked(port, b"GET /stream HTTP/1.0\r\n\r\n")
    assert b"chunked" not in answer
    assert answer.endswith(b"\r\n\r\nonetwo")


async def test_head_is_answered_without_a_body() -> None:
    async with served() as (_, port):
        answer = await asked(port, b"HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


async def test_who_waits_for_leave_to_send_gets_it() -> None:
    head, body = post(b"hello", b"Expect: 100-continue", b"Connection: close").split(b"\r\n\r\n")
    async with served() as (_, port):
        answer = await asked(port, head + b"\r\n\r\n", body, pause=0.1)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


async def test_an_offer_of_another_protocol_is_not_taken_up() -> None:
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ")
    async with served() as (_, port):
        answer = await asked(port, post(b"hello", *offer) + LAST)
    assert b"POST /echo hello" in answer
    assert b"GET /last" in answer


async def test_any_number_of_offers_is_not_taken_up() -> None:
    offer = b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with served() as (_, port):
        answer = await asked(port, offer * 2000 + LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 2001


async def test_a_tunnel_is_not_opened() -> None:
    async with served() as (_, port):
        answer = await asked(port, b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: h\r\n\r\n\x16\x03\x01")
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"CONNECT  " in answer  # the application is asked, with no path, and may say what it likes


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"GET /x SMTP/1.1\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"400"),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nHost: h\r\nlong: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET /x HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_closed(sent: bytes, status: bytes) -> None:
    async with served() as (_, port):
        answer = await asked(port, sent)
        assert b"HTTP/1.1 200" in await asked(port, LAST)
    assert answer.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /x HTTP/1.1\r\nHost: h\r\nlong: ",
        b"GET /x HTTP/1.1\r\nHost: h\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nlong: ",
    ],
)
async def test_a_field_that_never_ends_is_refused_and_not_kept(begun: bytes) -> None:
    async with served() as (_, port):
        answer = await asked(port, begun, *[b"x" * 16_384] * 8)
    assert answer.startswith(b"HTTP/1.1 431")


async def test_a_good_request_is_answered_before_the_bad_one_after_it_is_refused() -> None:
    async with served() as (_, port):
        answer = await asked(port, GET + b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in answer


async def test_a_refusal_is_read_by_a_client_that_still_sends() -> None:
    head = b"POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n"
    async with served() as (_, port):
        answer = await asked(port, head, *[b"x" * 100_000] * 20)
    assert answer.startswith(b"HTTP/1.1 401")


async def test_a_body_that_nobody_reads_does_not_stop_the_connection() -> None:
    ignored = post(b"x" * 2_000_000).replace(b"/echo", b"/ignore")
    async with served() as (_, port):
        answer = await asked(port, ignored, ignored, LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_a_fault_of_ours_costs_one_request(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (_, port):
        with caplog.at_level(logging.CRITICAL, "vsm_mcp.gateway.http11"):
            answer = await asked(port, GET.replace(b"/x", b"/fail"))
        assert b"HTTP/1.1 200" in await asked(port, LAST)
    assert answer.startswith(b"HTTP/1.1 500")


async def test_the_application_learns_that_its_client_has_gone() -> None:
    async with served() as (app, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET.replace(b"/x", b"/slow"))
        await writer.drain()
        writer.close()
        await asyncio.wait_for(app.left.wait(), 60)


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_closed_connection_leaves_nothing_to_the_garbage_collector(
    loops: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def leave() -> None:
        listening, gone = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
        listening.setblocking(False)
        front = Front(Application(), grace=0.2)
        await front.open(listening)
        try:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(GET)
            await reader.readuntil(b"/x ")
            watched = [weakref.ref(each, lambda _: gone.set()) for each in front._open.connections]
            assert len(watched) == 1
            writer.close()
            await asyncio.wait_for(gone.wait(), 60)
        finally:
            await front.close()

    gc.disable()
    try:
        with asyncio.Runner(loop_factory=loops) as runner:
            runner.run(leave())
    finally:
        gc.enable()


@pytest.mark.parametrize("sent", [b"", b"GET /x HT", b"POST /ec"])
async def test_a_client_that_never_ends_its_request_is_let_go(sent: bytes) -> None:
    async with served(Timing(head=0.2, idle=0.2, look=0.05)) as (_, port):
        assert await asked(port, sent) == b""


async def test_a_client_that_does_not_read_is_let_go() -> None:
    async with served(Timing(head=0.2, idle=0.2, look=0.05)) as (app, port):
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            client.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(client, GET.replace(b"/x", b"/big"))
            await asyncio.wait_for(app.left.wait(), 60)
            read, part = 0, b"x"
            with suppress(ConnectionResetError):
                while part:
                    part = await asyncio.get_running_loop().sock_recv(client, 1 << 20)
                    read += len(part)
    assert read < 50_000_000


async def test_a_silent_connection_with_a_request_under_way_is_kept() -> None:
    async with served(Timing(head=0.1, idle=0.1, look=0.05)) as (app, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET.replace(b"/x", b"/slow"))
        await asyncio.sleep(0.4)
        assert not app.left.is_set()
        writer.close()


async def test_a_head_that_we_do_not_read_on_is_not_too_slow() -> None:
    later = GET.replace(b"/x", b"/later")
    async with served(Timing(head=0.2, idle=5, look=0.05)) as (_, port):
        answer = await asked(port, later * 60 + LAST[:10], LAST[10:], pause=0.05)
    assert answer.count(b"HTTP/1.1 200 OK") == 61


async def test_many_requests_ahead_are_all_answered() -> None:
    async with served() as (_, port):
        answer = await asked(port, GET * 500 + LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 501


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from([GET, post(b"abc"), b"\r\n", b"\x00", b"POST", b"3\r\n", b"GET / HTTP/1.1\r\n"]), max_size=6
    ),
    st.binary(max_size=40),
)
def test_any_bytes_are_survived(parts: list[bytes], noise: bytes) -> None:
    async def attempt() -> None:
        async with served() as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"".join(parts) + noise)
            writer.write_eof()
            writer.close()
            assert b"HTTP/1.1 200" in await asked(port, LAST)

    asyncio.run(attempt())


# --- a head that was read before is not read again -------------------------------------------------------------------


class Deaf(asyncio.Transport):
    """Takes whatever is written, and reads nothing."""

    def write(self, data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        pass


async def requests_read(pieces: list[bytes]) -> list[tuple[str, str, list[tuple[bytes, bytes]], bytes]]:
    """Feed pieces one by one to a connection; return the requests that it read."""
    found = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        found.append((scope["method"], scope["path"], list(scope["headers"]), body))
        await respond(send, 200, b"{}")

    connection = Connection(app, Open())
    connection.connection_made(Deaf())
    for piece in pieces:
        connection.data_received(piece)
        for _ in range(4):
            await asyncio.sleep(0)
    connection.connection_lost(None)
    return found


KNOWN = post(b"abc")
PIECES = st.sampled_from(
    [
        KNOWN,
        post(b"xyz"),
        post(b"\r\n1"),
        post(b"abc").replace(b"/echo", b"/othr"),
        post(b"abc", b"Mcp-Name: x"),
        post(b"abc", b"Connection: close"),
        post(b"ab"),
        GET,
        KNOWN + b"\r\n",
        KNOWN + KNOWN,
        KNOWN[:40],
        KNOWN[40:],
        b"\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\nHost: h\nContent-Length: 3\n\nabc",
        b"POST /echo HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    ]
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=7))
def test_whether_a_head_was_known_makes_no_difference(pieces: list[bytes]) -> None:
    """A single byte is never a whole request, so that what comes byte by byte is parsed."""
    parsed = [bytes((byte,)) for byte in b"".join(pieces)]
    assert asyncio.run(requests_read(pieces)) == asyncio.run(requests_read(parsed))


async def test_a_known_head_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fields: list[bytes] = []
    parse = Connection.on_header

    def counting(self: Connection, name: bytes, value: bytes | None) -> None:
        fields.append(name)
        parse(self, name, value)

    monkeypatch.setattr(Connection, "on_header", counting)
    found = await requests_read([post(b"abc"), post(b"xyz"), post(b"1234"), post(b"abcd")])
    assert [body for *_, body in found] == [b"abc", b"xyz", b"1234", b"abcd"]
    assert fields == [b"Host", b"Content-Length"] * 2
