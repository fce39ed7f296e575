"""HTTP/1.1 as servers speak it on a socket: in every framing, in pieces, too early, too much, or not at all."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.errors import HttpRefused, ProtocolError, TransportError, VsmError
from vsm_mcp.wire import http11, pool
from vsm_mcp.wire.exchange import Stale
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.http11 import Fields, Socket
from vsm_mcp.wire.transport import Head

ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{}}'
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = b"%bContent-Length: %d\r\n\r\n%b" % (JSON, len(ANSWER), ANSWER)
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LIST = Head(kind="request", method="tools/list", id=1, version="2026-07-28", modern=True)
CALL = Head(kind="request", method="tools/call", id=1, name="x", version="2026-07-28", modern=True)
NOTICE = Head(kind="notification", method="notifications/x", version="2025-11-25")
LIMIT = 1_000_000


def chunked(*parts: bytes) -> bytes:
    return (
        b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nContent-Type: text/html\r\n\r\n"
    )


class Ask:
    """One request as a server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
        self.reader, self.writer, self.head, self.body = reader, writer, head, body

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hang_up(self, data: bytes = b"") -> None:
        self.writer.write(data)
        with suppress(ConnectionError):
            await self.writer.drain()
        self.writer.close()

    async def gone(self) -> bool:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(1), 60) == b""
        return True


Script = Callable[[Ask], Awaitable[None]]


class Server:
    """Answers as it is told; ``heads`` are the requests it saw, ``connections`` the sockets it accepted."""

    def __init__(self, script: Script, *, reads_bodies: bool = True) -> None:
        self.script = script
        self._reads_bodies = reads_bodies
        self.heads: list[bytes] = []
        self.connections = 0
        self.open = 0
        self._serving: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    head = await reader.readuntil(b"\r\n\r\n")
                    self.heads.append(head)
                    sizes = [line[15:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
                    size = int(sizes[0]) if sizes and self._reads_bodies else 0
                    await self.script(Ask(reader, writer, head, await reader.readexactly(size)))
        finally:
            self.open -= 1
            writer.close()

    async def end(self) -> None:
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


class Client:
    """A transport and what it delivered."""

    def __init__(self, url: str, **more: Any) -> None:
        self.delivered: list[bytes] = []
        self.lost: list[str] = []
        self.transport = HttpTransport(url, max_message=LIMIT, **more)

    def deliver(self, data: bytes, _about: int | None) -> bool:
        if not data.startswith(b"{"):
            raise ProtocolError("not a message")
        self.delivered.append(data)
        return b'"id"' in data

    async def send(self, head: Head = LIST, data: bytes = b"{}", within: float = 5) -> None:
        async with asyncio.timeout(within):
            await self.transport.send(data, head)

    async def fails(self, head: Head = LIST, data: bytes = b"{}") -> VsmError:
        with pytest.raises((TransportError, ProtocolError)) as failed:
            await self.send(head, data)
        assert failed.value.message and failed.value.hint
        return failed.value


@asynccontextmanager
async def pair(
    script: Script | bytes, host: str = "127.0.0.1", reads_bodies: bool = True, **more: Any
) -> AsyncIterator[tuple[Client, Server]]:
    async def say(ask: Ask) -> None:
        ask.say(script)  # type: ignore[arg-type]

    server = Server(say if isinstance(script, bytes) else script, reads_bodies=reads_bodies)
    limit = 64 * 1024 * 1024 if reads_bodies else 1000
    listening = await asyncio.start_server(server.accept, host, 0, limit=limit)
    place = f"[{host}]" if ":" in host else host
    client = Client(f"http://{place}:{listening.sockets[0].getsockname()[1]}/mcp?a=b#c", **more)
    try:
        await client.transport.open(client.deliver, client.lost.append)
        yield client, server
    finally:
        await client.transport.close()
        await server.end()
        listening.close()


# --- framing -----------------------------------------------------------------------------------------------------

FRAMED = {
    "length": WHOLE,
    "chunked": JSON + b"transfer-encoding: chunked\r\n\r\n" + chunked(ANSWER[:5], ANSWER[5:]),
    "after-100-and-103": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + WHOLE,
    "parameters": WHOLE.replace(b"application/json", b"Application/JSON; charset=utf-8"),
}
ENDS = {
    "until-the-end": JSON + b"\r\n" + ANSWER,
    "http/1.0": WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "connection-close": WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
}


@pytest.mark.parametrize("name", FRAMED)
@pytest.mark.parametrize("pieces", [1, 10_000])
async def test_each_framing_and_the_socket_is_used_again(name: str, pieces: int) -> None:
    async def script(ask: Ask) -> None:
        data = FRAMED[name]
        step = -(-len(data) // pieces)
        for at in range(0, len(data), step):
            ask.say(data[at : at + step])
            await asyncio.sleep(0)

    async with pair(script) as (client, server):
        for _ in range(3):
            await client.send()
        assert client.delivered == [ANSWER] * 3
        assert server.connections == 1


@pytest.mark.parametrize("name", ENDS)
async def test_an_answer_that_ends_with_its_connection(name: str) -> None:
    async with pair(lambda ask: ask.hang_up(ENDS[name])) as (client, server):
        for _ in range(2):
            await client.send(CALL)
        assert client.delivered == [ANSWER] * 2
        assert server.connections == 2


@pytest.mark.parametrize(
    "end", [chunked(b"data: %b\n\n" % ANSWER), b"%x\r\ndata: %b\n\n\r\n" % (len(ANSWER) + 8, ANSWER)]
)
async def test_a_stream_is_left_once_it_is_answered(end: bytes, monkeypatch: pytest.MonkeyPatch, until: Any) -> None:
    monkeypatch.setattr(http11, "_LINGER_SECONDS", 0.05)
    async with pair(EVENTS + end) as (client, server):
        await client.send()
        assert client.delivered == [ANSWER]
        if not end.endswith(
            b"0\r\nContent-Type: text/html\r\n\r\n"
        ):  # this stream goes on: its socket is given up soon
            await until(lambda: not server.open)
        await client.send()
        assert server.connections == (1 if end.endswith(b"text/html\r\n\r\n") else 2)


async def test_what_is_sent() -> None:
    async with pair(WHOLE, headers={"Authorization": "Bearer s3cret", "X-Umlaut": "grüß"}) as (
        client,
        server,
    ):
        await client.send(CALL, data=b'{"a":1}')
        lines = server.heads[0].decode().split("\r\n")
        assert lines[0] == "POST /mcp?a=b HTTP/1.1"
        assert lines[1].startswith("Host: 127.0.0.1:")
        assert {"Authorization: Bearer s3cret", "X-Umlaut: grüß", "Content-Length: 7", "Mcp-Name: x"} <= set(lines)
        assert "Accept-Encoding: identity" in lines


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, "s3cret") for name in ("Content-Length", "transfer-encoding", "Mcp-Session-Id", "Host", "a b", "a:", "")]
    + [("X-Key", f"s3cret{char}") for char in ("\r\nX: y", "\n", "\0", "\ud800")],
)
async def test_headers_that_cannot_be_given(name: str, value: str) -> None:
    client = Client("http://127.0.0.1:1/", headers={name: value})
    with pytest.raises(TransportError) as refused:
        await client.transport.open(client.deliver, client.lost.append)
    assert "s3cret" not in str(refused.value)
    await client.transport.close()


async def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    async with pair(WHOLE, host="::1") as (client, server):
        await client.send()
        assert b"\r\nHost: [::1]:" in server.heads[0]


async def test_the_next_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair(WHOLE) as (client, server):

        async def getaddrinfo(_host: str, port: int, **_more: object) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        await client.send()  # nobody listens at the first one
        assert server.connections == 1


# --- answers that are none ---------------------------------------------------------------------------------------

BAD = {
    "not http": (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
    "a head without end": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000, "without end"),
    "one field without end": (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000, "without end"),
    "words in between without end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, "without end"),
    "trailers without end": (JSON + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 100_000, "without end"),
    "two lengths": (JSON + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "not HTTP"),
    "length and chunks": (JSON + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "not HTTP"),
    "another protocol": (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "not HTTP"),
    "too much": (JSON + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000, f"more than {LIMIT} bytes"),
    "too many chunks": (
        JSON + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*[b"x" * 9000] * 200),
        f"more than {LIMIT}",
    ),
    "an event without end": (EVENTS + chunked(*[b"x" * 9000] * 200), f"more than {LIMIT} bytes"),
    "no content type": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "no content type"),
    "a web page": (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", "text/html"),
    "compressed": (JSON + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "compressed"),
    "no answer": (b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "without answering"),
    "no json": (JSON + b"Content-Length: 2\r\n\r\nhi", "not a message"),
    "somebody else's": (JSON + b"Content-Length: 2\r\n\r\n{}", "no response"),
    "a refusal": (b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n", "418"),
    "a refusal in endless words": (
        b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900_000,
        "400",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_answers(name: str) -> None:
    data, says = BAD[name]
    async with pair(data) as (client, server):
        for _ in range(2):
            assert says in (await client.fails()).message
        server.script = lambda ask: ask.hang_up(WHOLE)
        await client.send()  # the next one is not harmed
        assert client.delivered[-1] == ANSWER


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 2", JSON, WHOLE[:-1], JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"]
)
async def test_an_answer_that_is_cut_off_is_not_asked_for_again(data: bytes) -> None:
    async with pair(lambda ask: ask.hang_up(data)) as (client, server):
        error = await client.fails()
        assert error.retryable
        assert len(server.heads) == 1
        assert "connection" in error.message or "answer" in error.message


async def test_a_refusal_that_talks_on_is_not_listened_to() -> None:
    head = b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"

    async def script(ask: Ask) -> None:
        ask.say(head + b"x" * 100_000)
        await ask.gone()

    async with pair(script) as (client, _):
        assert "400" in (await client.fails()).message


async def test_nor_is_one_that_is_cut_off_on_a_socket_used_before() -> None:
    async def script(ask: Ask) -> None:
        if len(server.heads) == 1:
            ask.say(WHOLE)
        else:
            await ask.hang_up(WHOLE[:20])

    async with pair(script) as (client, server):
        await client.send()
        await client.fails()
        assert len(server.heads) == 2


async def test_a_page_without_end_is_not_read(until: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http11, "_LINGER_SECONDS", 60.0)
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"

    async def script(ask: Ask) -> None:
        ask.say(page)
        await ask.gone()

    async with pair(script) as (client, server):
        assert "text/html" in (await client.fails()).message
        await until(lambda: not server.open)


@pytest.mark.parametrize("extra", [WHOLE, b"HTTP/1.1 200 OK\r\n", b"x", b"\r\n\r\nHTTP"])
async def test_bytes_that_nobody_asked_for_answer_nothing(extra: bytes) -> None:
    async with pair(WHOLE + extra) as (client, server):
        for _ in range(3):
            await client.send()
        assert client.delivered == [ANSWER] * 3
        assert server.connections == 3


async def test_bytes_on_an_idle_socket_answer_nothing(until: Any) -> None:
    held: list[Ask] = []

    async def script(ask: Ask) -> None:
        held.append(ask)
        ask.say(WHOLE)

    async with pair(script) as (client, server):
        await client.send()
        held[0].say(WHOLE.replace(b'"result"', b'"poison"'))
        await until(lambda: not server.open)
        await client.send()
        assert client.delivered == [ANSWER] * 2


# --- streams of the older eras ------------------------------------------------------------------------------------

OLD = Head(kind="request", method="tools/call", id=1, version="2025-11-25")
INITIALIZED = Head(kind="notification", method="notifications/initialized", version="2025-11-25")


async def test_a_stream_that_is_cut_in_the_middle_of_an_event() -> None:
    async def script(ask: Ask) -> None:
        if ask.head.startswith(b"GET"):
            ask.say(EVENTS + chunked(b"data: %b\n\n" % ANSWER))
        else:
            part = b"id: 7\nretry: 0\ndata:\n\ndata: {\ndata: hal"
            await ask.hang_up(EVENTS + b"%x\r\n%b\r\n" % (len(part), part))

    async with pair(script) as (client, server):
        await client.send(OLD)
        assert client.delivered == [ANSWER]
        assert b"Last-Event-ID: 7\r\n" in server.heads[1]


@pytest.mark.parametrize("status", [b"503 Busy", b"405 No"])
async def test_a_stream_that_is_refused_holds_nothing_up(status: bytes) -> None:
    async def script(ask: Ask) -> None:
        ask.say(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % (status if ask.head.startswith(b"GET") else b"202 OK"))

    async with pair(script) as (client, server):
        await client.send(INITIALIZED, within=0.9)
        assert server.heads[1].startswith(b"GET /mcp?a=b ")


# --- sockets that are used again ---------------------------------------------------------------------------------


async def test_a_socket_that_the_server_closed_as_it_was_taken_up_again() -> None:
    async def script(ask: Ask) -> None:
        if len(server.heads) == 2:
            await ask.hang_up()
        else:
            ask.say(WHOLE)

    async with pair(script) as (client, server):
        await client.send()
        await client.send()  # sent once more, on a new socket
        assert len(server.heads) == 3
        assert server.connections == 2
        server.heads.clear()
        await client.send()
        error = await client.fails(CALL)  # it may have been carried out: nobody knows
        assert isinstance(error, Stale)
        assert "without an answer" in error.message
        assert len(server.heads) == 2


async def test_several_sockets_that_the_server_closed() -> None:
    used: set[int] = set()

    async def script(ask: Ask) -> None:
        if id(ask.writer) in used:
            await ask.hang_up()
        used.add(id(ask.writer))
        ask.say(WHOLE)

    async with pair(script) as (client, server):
        await asyncio.gather(*(client.send() for _ in range(4)))
        await client.send()  # the second attempt does not meet the next of them
        assert server.connections == 5


async def test_what_must_not_be_sent_twice_goes_out_on_a_socket_that_is_surely_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with pair(WHOLE) as (client, server):
        await client.send(CALL)
        await client.send(CALL)
        assert server.connections == 1
        monkeypatch.setattr(pool, "_RECENT_SECONDS", -1.0)
        await client.send(LIST)
        assert server.connections == 1
        await client.send(CALL)
        assert server.connections == 2


async def test_a_server_says_how_long_it_keeps_a_socket() -> None:
    async with pair(WHOLE.replace(b"\r\n\r\n", b"\r\nKeep-Alive: max=5, timeout=1\r\n\r\n")) as (client, server):
        for _ in range(3):
            await client.send()
        assert server.connections == 3  # a second for the way leaves none


async def test_idle_sockets_are_closed(monkeypatch: pytest.MonkeyPatch, until: Any) -> None:
    monkeypatch.setattr(pool, "_LOOK_SECONDS", 0.02)
    async with pair(WHOLE) as (client, server):
        await asyncio.gather(*(client.send() for _ in range(5)))
        assert server.open == 5
        monkeypatch.setattr(pool, "_IDLE_SECONDS", 0.0)
        await until(lambda: not server.open)


async def test_so_many_sockets_and_no_more(monkeypatch: pytest.MonkeyPatch, until: Any) -> None:
    monkeypatch.setattr(pool, "MAX_SOCKETS", 3)
    gate = asyncio.Event()

    async def script(ask: Ask) -> None:
        if b"notifications" not in ask.body:
            await gate.wait()
        ask.say(WHOLE)

    async with pair(script) as (client, server):
        calls = [asyncio.ensure_future(client.send()) for _ in range(20)]
        await until(lambda: len(server.heads) == 3)
        given_up = calls.pop()
        given_up.cancel()
        await client.send(NOTICE, data=b'{"method":"notifications/x"}')  # what might free the others does not wait
        gate.set()
        await asyncio.gather(*calls)
        assert server.connections == 4
        assert len(client.delivered) == 19
        await client.send()


async def test_who_waits_for_a_socket_may_open_one_when_another_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_SOCKETS", 1)
    async with pair(lambda ask: ask.hang_up(ENDS["connection-close"])) as (client, server):
        await asyncio.gather(*(client.send() for _ in range(5)))
        assert server.connections == 5


async def test_who_gives_up_passes_its_socket_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_SOCKETS", 1)
    async with pair(WHOLE) as (client, server):
        waiting: list[asyncio.Task[None]] = []

        def deliver(data: bytes, about: int | None) -> bool:
            for task in waiting:
                task.cancel()  # it has just been handed the socket of the first
            return client.deliver(data, about)

        await client.transport.open(deliver, client.lost.append)
        first = asyncio.ensure_future(client.send())
        waiting.append(asyncio.ensure_future(client.send()))
        await first
        await client.send()
        assert waiting[0].cancelled()
        assert server.connections == 1


async def test_who_waits_for_a_socket_hears_of_the_end(monkeypatch: pytest.MonkeyPatch, until: Any) -> None:
    monkeypatch.setattr(pool, "MAX_SOCKETS", 1)

    async def script(_ask: Ask) -> None:
        await asyncio.Event().wait()

    async with pair(script) as (client, server):
        calls = [asyncio.ensure_future(client.send()) for _ in range(3)]
        await until(lambda: server.heads)
        await client.transport.close()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(result, TransportError) for result in results] == [True] * 3


async def test_many_calls_that_cannot_connect_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_SOCKETS", 2)
    async with pair(WHOLE) as (client, _):
        pass
    other = Client(client.transport._url)
    await other.transport.open(other.deliver, other.lost.append)
    results = await asyncio.gather(*(other.send() for _ in range(10)), return_exceptions=True)
    assert all("Connection refused" in str(result) for result in results)
    await other.transport.close()


async def test_an_early_refusal_of_a_large_request() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    async def script(ask: Ask) -> None:
        ask.say(refusal)
        await ask.reader.read()

    async with pair(script, reads_bodies=False) as (client, _):
        error = await client.fails(data=b"x" * 20_000_000)
        assert isinstance(error, HttpRefused) and error.status == 413


async def test_an_early_answer_to_a_large_request() -> None:
    """What is still on its way to the server must not become a part of the next request."""

    over = asyncio.Event()

    async def script(ask: Ask) -> None:
        ask.say(WHOLE)
        await over.wait()
        ask.writer.close()

    async with pair(script, reads_bodies=False) as (client, server):
        for size in (50_000_000, 2):
            await client.send(data=b"x" * size)
        assert client.delivered == [ANSWER] * 2
        assert server.connections == 2
        over.set()


# --- without a task ----------------------------------------------------------------------------------------------


class Ended:
    """Takes how an exchange ended."""

    def __init__(self) -> None:
        self.troubles: list[VsmError | None] = []
        self.called = asyncio.Event()

    def __call__(self, trouble: VsmError | None) -> None:
        self.troubles.append(trouble)
        self.called.set()

    async def wait(self) -> VsmError | None:
        await asyncio.wait_for(self.called.wait(), 60)
        [trouble] = self.troubles
        return trouble


async def test_a_call_needs_no_task() -> None:
    async with pair(WHOLE) as (client, server):
        ended = Ended()
        assert client.transport.begin(b"{}", LIST, ended) is None  # there is no socket yet
        await client.send()
        tasks = asyncio.all_tasks()
        assert client.transport.begin(b"{}", LIST, ended) is not None
        assert asyncio.all_tasks() == tasks
        assert await ended.wait() is None
        assert client.delivered == [ANSWER] * 2
        assert server.connections == 1


async def test_trouble_reaches_who_has_no_task() -> None:
    async with pair(WHOLE) as (client, server):
        await client.send()
        for script, kind in (
            (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", TransportError),
            (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", HttpRefused),
            (b"HTTP/1.1 307 There\r\nLocation: http://other.invalid/\r\nContent-Length: 0\r\n\r\n", HttpRefused),
            (EVENTS + chunked(b": nothing\n\n"), TransportError),
            (JSON + b"Content-Length: 2\r\n\r\nhi", ProtocolError),
        ):

            async def say(ask: Ask, data: bytes = script) -> None:
                ask.say(data)

            server.script, ended = say, Ended()
            assert client.transport.begin(b"{}", LIST, ended) is not None
            assert type(await ended.wait()) is kind or isinstance(ended.troubles[0], kind)


async def test_what_can_be_mended_is_mended_for_who_has_no_task() -> None:
    async def script(ask: Ask) -> None:
        if ask.head.startswith(b"POST /mcp?"):
            ask.say(b"HTTP/1.1 308 There\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n")
        elif len(server.heads) == 5:
            await ask.hang_up()
        else:
            ask.say(WHOLE)

    async with pair(script) as (client, server):
        await client.send(NOTICE)  # opens a socket, and finds the new place
        for _ in range(2):
            ended = Ended()
            assert client.transport.begin(b"{}", LIST, ended) is not None
            assert await ended.wait() is None
        heads = [head.split(b" ")[1] for head in server.heads]
        assert heads == [b"/mcp?a=b", b"/new", b"/new", b"/new"]
        ended = Ended()
        assert client.transport.begin(b"{}", LIST, ended) is not None  # the fifth: its socket is closed
        assert await ended.wait() is None
        assert len(server.heads) == 6


async def test_a_call_that_is_given_up_at_once_is_never_sent() -> None:
    async with pair(WHOLE) as (client, server):
        await client.send()
        ended = Ended()
        exchange = client.transport.begin(b"{}", CALL, ended)
        assert exchange is not None
        exchange.cancel()
        await client.send()
        assert len(server.heads) == 2
        assert server.connections == 1
        assert not ended.troubles


async def test_an_abandoned_call_is_closed_and_says_nothing(until: Any) -> None:
    left = asyncio.Event()

    async def script(ask: Ask) -> None:
        if len(server.heads) == 1:
            ask.say(WHOLE)
        elif await ask.gone():
            left.set()

    async with pair(script) as (client, server):
        await client.send()
        ended = Ended()
        exchange = client.transport.begin(b"{}", CALL, ended)
        assert exchange is not None
        await until(lambda: len(server.heads) == 2)
        exchange.cancel()
        await asyncio.wait_for(left.wait(), 60)
        assert not ended.troubles


@pytest.mark.parametrize("by_closing", [True, False])
async def test_mending_can_be_cut_short(by_closing: bool, until: Any) -> None:
    async def script(ask: Ask) -> None:
        if len(server.heads) == 1:
            ask.say(WHOLE)
        elif len(server.heads) == 2:
            ask.say(b"HTTP/1.1 307 There\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n")
        else:
            await ask.gone()

    async with pair(script) as (client, server):
        await client.send()
        tasks, ended = asyncio.all_tasks(), Ended()
        exchange = client.transport.begin(b"{}", LIST, ended)
        assert exchange is not None
        await until(lambda: len(server.heads) == 3)
        assert asyncio.all_tasks() > tasks
        if by_closing:
            await client.transport.close()
            assert isinstance(await ended.wait(), TransportError)
        else:
            exchange.cancel()
        await until(lambda: not server.open and asyncio.all_tasks() <= tasks)
        assert len(ended.troubles) == by_closing


async def test_closing_tells_who_has_no_task() -> None:
    async def script(ask: Ask) -> None:
        if len(server.heads) == 1:
            ask.say(WHOLE)
        else:
            await ask.gone()

    async with pair(script) as (client, server):
        await client.send()
        ended = Ended()
        assert client.transport.begin(b"{}", LIST, ended) is not None
        await client.transport.close()
        assert isinstance(await ended.wait(), TransportError)
        assert client.transport.begin(b"{}", LIST, ended) is None


# --- any bytes at all --------------------------------------------------------------------------------------------


class Plug(asyncio.Transport):
    """The operating system's end of a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0


class Noting:
    """A taker and a home that check the order of the calls."""

    def __init__(self) -> None:
        self.began = self.ends = self.frees = 0
        self.body = b""

    def opened(self, _socket: Socket) -> None:
        pass

    def lost(self, _socket: Socket) -> None:
        pass

    def free(self, socket: Socket) -> None:
        assert not socket.closing
        self.frees += 1

    def begun(self, status: int, _fields: Fields) -> None:
        assert not self.began and not self.ends and status >= 200
        self.began += 1

    def data(self, chunk: bytes) -> None:
        assert self.began and not self.ends
        self.body += chunk

    def ended(self) -> None:
        assert self.began
        self.ends += 1

    def broke(self, why: str, *, stale: bool, unsent: bool = False) -> None:
        assert why and not stale
        self.ends += 1


HEADS = [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.0 404 \r\n", WHOLE]
FIELDS = [
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Upgrade: x\r\n",
    b"\r\n",
]
PIECES = st.sampled_from([*HEADS, *FIELDS, b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b"\0"])


@settings(deadline=None)
@given(st.lists(PIECES | st.binary(max_size=20), max_size=12))
def test_whatever_arrives_a_taker_hears_of_one_end(chunks: list[bytes]) -> None:
    async def run() -> None:
        noting, plug = Noting(), Plug()
        wire = Socket(noting)
        wire.connection_made(plug)
        wire.ask(b"POST", b"{}", noting)
        await asyncio.sleep(0)
        for chunk in chunks:
            if not plug.closed:
                wire.data_received(chunk)
        if not plug.closed or not noting.ends:
            wire.connection_lost(None)
        assert noting.ends == 1
        assert noting.frees <= 1

    asyncio.run(run())


async def test_an_answer_that_is_there_before_the_request_is_none() -> None:
    noting, plug = Noting(), Plug()
    wire = Socket(noting)
    wire.connection_made(plug)
    wire.ask(b"POST", b"{}", noting)
    wire.data_received(WHOLE)
    assert plug.closed
    wire.connection_lost(None)
    assert noting.ends == 1
    assert not noting.began


async def test_a_large_answer_costs_time_in_proportion() -> None:
    async with pair(JSON + b"Content-Length: 900000\r\n\r\n{" + b'"id"' * 224_999 + b"xyz") as (client, _):
        began = time.process_time()
        for _ in range(20):
            await client.send()
        assert time.process_time() - began < 2
