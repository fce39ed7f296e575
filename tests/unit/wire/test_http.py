"""Streamable HTTP in both eras, and what servers and the ways to them do wrong."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp.web
import msgspec
import pytest
from msgspec import Raw
from tests.unit.wire.hearing import Hearing

from vsm_mcp.errors import HttpRefused, ProtocolError, RequestTimeout, RpcError, Throttled, TransportError
from vsm_mcp.testing.faulty_http import Endpoint, serving
from vsm_mcp.wire import era as eras
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.transport import Deliver, Lost

ECHO: dict[str, object] = {"name": "echo", "arguments": {"text": "hi"}}


@asynccontextmanager
async def talking(
    *faults: str, known_era: str | None = None, **more: Any
) -> AsyncIterator[tuple[Connection, Endpoint]]:
    async with serving(*faults) as (url, endpoint):
        connection = await connect(HttpTransport(url, **more), timeout=5, known_era=known_era)
        try:
            yield connection, endpoint
        finally:
            await connection.close()


def text(result: Raw) -> str:
    return str(msgspec.json.decode(result)["content"][0]["text"])


def posts(endpoint: Endpoint, method: str) -> list[tuple[dict[str, str], dict[str, Any]]]:
    return [(headers, message) for headers, message in endpoint.seen if message.get("method") == method]


@pytest.mark.parametrize("faults", [["--mode=both"], ["--mode=legacy"], ["--mode=legacy", "--sessions"]])
@pytest.mark.parametrize("answers", [[], ["--sse"], ["--sse", "--crlf"]])
async def test_calls(faults: list[str], answers: list[str]) -> None:
    async with talking(*faults, *answers) as (connection, _):
        assert connection.era == ("modern" if faults == ["--mode=both"] else "legacy")
        calls = (
            connection.request("tools/call", {"name": "echo", "arguments": {"text": f"{n}"}}, timeout=10)
            for n in range(50)
        )
        assert [text(result) for result in await asyncio.gather(*calls)] == [f"echo:{n}" for n in range(50)]
        assert len((await connection.offer(5)).items) == 11
        with pytest.raises(RpcError) as refused:
            await connection.request("no/such", timeout=5)
        assert refused.value.rpc_code == -32601
        assert connection.in_flight == 0


async def test_modern_headers() -> None:
    async with talking("--mode=both", headers={"Authorization": "Bearer s3cret"}) as (connection, endpoint):
        await connection.request("tools/call", {"name": Raw(b'"ec\\u0068o"'), "arguments": {"text": "x"}}, timeout=5)
        await connection.request("resources/read", {"uri": "note://grüß"}, timeout=5)
        await connection.notify("notifications/whatever")
        [(call, message)], [(read, _)] = posts(endpoint, "tools/call"), posts(endpoint, "resources/read")
        assert call["MCP-Protocol-Version"] == "2026-07-28"
        assert (call["Mcp-Method"], call["Mcp-Name"]) == ("tools/call", "echo")
        assert read["Mcp-Name"] == "=?base64?bm90ZTovL2dyw7zDnw==?="
        assert call["Authorization"] == "Bearer s3cret"
        assert call["Accept"] == "application/json, text/event-stream"
        assert "Mcp-Session-Id" not in call
        assert message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] == eras.CLIENT_CAPABILITIES
        assert not [m for _, m in endpoint.seen if "id" not in m]  # modern HTTP has no notifications from clients


async def test_legacy_headers_and_the_end_of_a_session() -> None:
    async with talking("--mode=legacy", "--sessions") as (connection, endpoint):
        await connection.request("tools/call", ECHO, timeout=5)
        [session] = endpoint.sessions
        [(hello, _)], [(call, _)] = posts(endpoint, "initialize"), posts(endpoint, "tools/call")
        assert "Mcp-Session-Id" not in hello
        assert "MCP-Protocol-Version" not in hello
        assert (call["Mcp-Session-Id"], call["MCP-Protocol-Version"]) == (session, "2025-11-25")
        assert "Mcp-Method" not in call
        [(initialized, _)] = posts(endpoint, "notifications/initialized")
        assert initialized["Mcp-Session-Id"] == session
    assert endpoint.ended == [session]


@pytest.mark.parametrize("status", ["404", "400"])
async def test_a_lost_session_is_begun_again_once_for_all(status: str) -> None:
    faults = ("--mode=legacy", "--sessions", "--forget-after", "2", "--forget-status", status)
    async with talking(*faults) as (connection, endpoint):
        for _ in range(2):
            await connection.request("tools/call", ECHO, timeout=5)
        assert not endpoint.sessions
        calls = (connection.request("tools/call", ECHO, timeout=5) for _ in range(20))
        assert {text(result) for result in await asyncio.gather(*calls)} == {"echo:hi"}
        assert len(posts(endpoint, "initialize")) == 2
        assert len(endpoint.sessions) == 1
        assert not connection.closed.done()


async def test_a_lost_session_that_cannot_be_begun_again() -> None:
    async with talking("--mode=legacy", "--sessions", "--forget-after", "1") as (connection, endpoint):
        await connection.request("tools/call", ECHO, timeout=5)
        endpoint.chosen.status = "initialize=500"
        with pytest.raises(TransportError, match="did not begin a new one"):
            await connection.request("tools/call", ECHO, timeout=5)
        assert "forgot the session" in connection.closed.result()


@pytest.mark.parametrize(
    ("status", "retryable", "says"),
    [
        (401, False, "authorization"),
        (403, False, "forbids"),
        (404, False, "404"),
        (429, True, "429"),
        (503, True, "503"),
    ],
)
async def test_statuses(status: int, retryable: bool, says: str) -> None:
    async with talking("--mode=both", "--status", f"tools/call={status}") as (connection, _):
        with pytest.raises(TransportError, match=says) as refused:
            await connection.request("tools/call", ECHO, timeout=5)
        assert refused.value.retryable == retryable
        assert isinstance(refused.value, HttpRefused) != retryable
        assert isinstance(refused.value, Throttled) == (status == 429)
        assert ("wait 7 s" in refused.value.hint) == retryable


async def test_a_refusal_in_words_keeps_its_code() -> None:
    async with talking("--mode=legacy", "--sessions") as (connection, endpoint):
        with pytest.raises(RpcError) as refused:
            await connection.request("tools/call", {"name": "nonsense"}, timeout=5)
        assert refused.value.rpc_code == -32602
        assert len(posts(endpoint, "initialize")) == 1


async def test_without_its_token() -> None:
    async with serving("--mode=both", "--token", "s3cret") as (url, endpoint):
        with pytest.raises(HttpRefused, match="authorization") as refused:
            await connect(HttpTransport(url + "?key=hidden", headers={"Authorization": "Bearer wr0ng"}), timeout=5)
        assert "hidden" not in str(refused.value) and "wr0ng" not in str(refused.value)
        assert len(endpoint.seen) == 1  # no second attempt in another era
        connection = await connect(HttpTransport(url, headers={"Authorization": "Bearer s3cret"}), timeout=5)
        await connection.close()


@pytest.mark.parametrize(
    "more", [[], ["--no-discover"], ["--status=server/discover=404"], ["--status=server/discover=405"]]
)
async def test_an_older_server_refuses_the_probe_in_its_own_way(more: list[str]) -> None:
    async with talking("--mode=legacy", *more) as (connection, _):
        assert connection.era == "legacy"


async def test_a_server_known_as_older_that_is_modern() -> None:
    async with talking("--mode=modern", known_era="legacy") as (connection, _):
        assert connection.era == "modern"


@pytest.mark.parametrize("era", ["both", "legacy"])
async def test_a_cut_stream_is_an_error_at_once(era: str) -> None:
    async with talking(f"--mode={era}", "--sse", "--cut") as (connection, _):
        began = time.monotonic()
        with pytest.raises(TransportError, match="before the response"):
            await connection.request("tools/call", ECHO, timeout=30)
        assert time.monotonic() - began < 5


async def test_a_cut_stream_of_an_older_server_is_resumed() -> None:
    async with talking("--mode=legacy", "--sse", "--cut", "--resumable") as (connection, _):
        assert text(await connection.request("tools/call", ECHO, timeout=5)) == "echo:hi"


async def test_a_web_page_is_no_answer() -> None:
    async with talking("--mode=both", "--html") as (connection, _):
        with pytest.raises(ProtocolError, match="text/html"):
            await connection.request("tools/call", ECHO, timeout=5)


@pytest.mark.parametrize("era", ["both", "legacy"])
async def test_giving_up_a_call_reaches_the_server(era: str, until: Any) -> None:
    async with talking(f"--mode={era}") as (connection, endpoint):
        logic = endpoint.logic[era == "both"]
        with pytest.raises(RequestTimeout):
            await connection.request("tools/call", {"name": "slow", "arguments": {"seconds": 30}}, timeout=0.2)
        [(_, message)] = posts(endpoint, "tools/call")
        await until(logic.cancelled[str(message["id"])].is_set)
        if era == "legacy":
            await until(lambda: posts(endpoint, "notifications/cancelled"))
        else:
            assert not posts(endpoint, "notifications/cancelled")


@pytest.mark.parametrize("era", ["both", "legacy"])
async def test_a_call_that_is_given_up_at_once_is_never_made(era: str) -> None:
    async with talking(f"--mode={era}") as (connection, endpoint):
        connection.begin("tools/call", ECHO, timeout=5).give_up()
        await connection.request("tools/list", timeout=5)
        assert not posts(endpoint, "tools/call")


@pytest.mark.parametrize("era", ["both", "legacy"])
async def test_news_of_a_changed_list(era: str, until: Any) -> None:
    async with talking(f"--mode={era}", "--change-after", "1") as (connection, endpoint):
        news: list[str] = []
        connection.on_change = news.append
        await until(lambda: endpoint.logic[era == "both"].standing)
        await connection.request("tools/call", ECHO, timeout=5)
        await until(lambda: news == ["tools"])


@pytest.mark.parametrize("era", ["both", "legacy"])
async def test_progress(era: str) -> None:
    async with talking(f"--mode={era}", "--progress", "3") as (connection, _):
        heard: list[str] = []
        await connection.request(
            "tools/call", ECHO, timeout=5, dialogue=Hearing(lambda method, _: heard.append(method))
        )
        assert heard == ["notifications/progress"] * 3


@pytest.mark.parametrize("answers", [[], ["--sse"]])
async def test_twenty_megabytes(answers: list[str]) -> None:
    async with talking("--mode=both", *answers) as (connection, _):
        big = {"name": "big", "arguments": {"bytes": 20_000_000, "more": "y" * 20_000_000}}
        began = time.process_time()  # client and server: both are in this process
        assert len(text(await connection.request("tools/call", big, timeout=20))) == 20_000_000
        assert time.process_time() - began < 3
    async with talking("--mode=both", *answers, max_message=1_000_000) as (connection, _):
        with pytest.raises((ProtocolError, TransportError), match="more than 1000000 bytes"):
            await connection.request("tools/call", big, timeout=20)


async def test_sockets_are_used_again() -> None:
    for answers in ([], ["--sse"]):
        async with talking("--mode=both", *answers) as (connection, endpoint):
            for _ in range(20):
                await connection.request("tools/call", ECHO, timeout=5)
                await asyncio.sleep(0)
            assert len(endpoint.peers) <= 2


async def test_the_server_s_own_stream_is_open_before_the_first_call_and_after_an_answer() -> None:
    """What a server says there it may say at once, and an answer that comes there is not the end of it."""
    streams: list[aiohttp.web.StreamResponse] = []

    async def listened_to(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        await asyncio.sleep(0.1)  # slower than the first call would be
        stream = aiohttp.web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        streams.append(stream)
        await asyncio.Event().wait()
        return stream

    async def posted(request: aiohttp.web.Request) -> aiohttp.web.Response:
        message = await request.json()
        if message["method"] == "initialize":
            result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}}
            return aiohttp.web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})
        if message["method"] == "ask":
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": {"stream": len(streams)}}
            await streams[-1].write(b"data: %b\n\n" % msgspec.json.encode(answer))
        return aiohttp.web.Response(status=202)

    app = aiohttp.web.Application()
    app.add_routes([aiohttp.web.get("/mcp", listened_to), aiohttp.web.post("/mcp", posted)])
    runner = aiohttp.web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    connection = await connect(HttpTransport(url), timeout=5, known_era="legacy")
    try:
        for _ in range(3):
            assert msgspec.json.decode(await connection.request("ask", timeout=5)) == {"stream": 1}
    finally:
        await connection.close()
        await runner.cleanup()


async def test_redirects() -> None:
    async with serving("--mode=both") as (url, endpoint):
        connection = await connect(HttpTransport(url.replace("/mcp", "/moved")), timeout=5)
        assert text(await connection.request("tools/call", ECHO, timeout=5)) == "echo:hi"
        await connection.close()
        for target, says in (
            ("http://example.test/mcp", "example.test"),
            ("/moved", "without end"),
            ("http://[", "nowhere"),
        ):
            endpoint.chosen.redirect = target
            with pytest.raises(TransportError, match=says):
                await connect(HttpTransport(url.replace("/mcp", "/moved")), timeout=5, known_era="legacy")


async def test_nobody_there() -> None:
    async with serving() as (url, _):
        pass
    with pytest.raises(TransportError, match="cannot be reached: Connection refused") as refused:
        await connect(HttpTransport(url + "?key=hidden"), timeout=5)
    assert "hidden" not in str(refused.value)
    assert refused.value.retryable
    for bad in ("ftp://x/mcp", "no url", "http://[/", ""):
        with pytest.raises(TransportError, match="URL"):
            await connect(HttpTransport(bad), timeout=5)


async def test_a_server_that_goes_away_and_comes_back() -> None:
    async with serving("--mode=both") as (url, _):
        connection = await connect(HttpTransport(url), timeout=5)
        await connection.request("tools/call", ECHO, timeout=5)
    with pytest.raises(TransportError):
        await connection.request("tools/call", ECHO, timeout=5)
    async with serving("--mode=both", "--port", url.rpartition(":")[2].removesuffix("/mcp")):
        assert text(await connection.request("tools/call", ECHO, timeout=5)) == "echo:hi"
    await connection.close()
    with pytest.raises(TransportError, match="closed"):
        await connection.request("tools/call", ECHO, timeout=5)


async def test_a_header_that_cannot_be_sent_is_not_repeated_in_the_error() -> None:
    async with serving() as (url, _):
        with pytest.raises(TransportError) as refused:
            await connect(HttpTransport(url, headers={"Authorization": "Bearer s3cret\r\nX: y"}), timeout=5)
        assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("era", ["both", "legacy"])
async def test_each_message_comes_with_the_request_whose_answer_carried_it(era: str, until: Any) -> None:
    heard: list[tuple[str, int | None]] = []

    class Noting(HttpTransport):
        async def open(self, deliver: Deliver, lost: Lost) -> None:
            def noting(data: bytes, about: int | None) -> bool:
                message = msgspec.json.decode(data)
                if message.get("method") != "notifications/subscriptions/acknowledged":
                    heard.append((message.get("method", ""), about))
                return deliver(data, about) and ("id" not in message or message["id"] == about)

            await super().open(noting, lost)

    async with serving(f"--mode={era}", "--progress=1", "--change-after=1") as (url, endpoint):
        connection = await connect(Noting(url), timeout=5)
        connection.on_change = lambda _kind: None
        await until(lambda: endpoint.logic[era == "both"].standing)
        heard.clear()
        await connection.request("tools/call", ECHO, timeout=5, dialogue=Hearing())
        await until(lambda: len(heard) == 3)
        [(_, call)] = posts(endpoint, "tools/call")
        listening = [message["id"] for _, message in posts(endpoint, "subscriptions/listen")]
        assert sorted(heard, key=str) == sorted(
            [
                ("notifications/progress", call["id"]),
                ("", call["id"]),
                ("notifications/tools/list_changed", listening[0] if listening else None),
            ],
            key=str,
        )
        await connection.close()


async def test_a_server_that_asks_and_asks_and_takes_no_answer(until: Any) -> None:
    ping = b"".join(b'data: {"jsonrpc":"2.0","id":%d,"method":"ping"}\n\n' % number for number in range(2000))
    opened, streams = 0, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return writer.close()
        message = json.loads(await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])))
        if "result" in message:
            await reader.read()  # until the client gives it up
        elif message["method"] == "notifications/initialized":
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            hello = b'{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"x","version":"1"}}'
            asked = ping if message["method"] == "tools/call" else b""
            answer = b'data: {"jsonrpc":"2.0","id":%d,"result":%b}\n\n' % (message["id"], hello)
            writer.write(streams + asked + answer)
        return writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        connection = await connect(HttpTransport(url), timeout=5, known_era="legacy")
        await connection.request("tools/call", ECHO, timeout=10)
        assert len(connection._tasks) < 300
        await until(lambda: opened > 256)
        await connection.close()
