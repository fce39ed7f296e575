from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest

from vsm_mcp import config
from vsm_mcp.errors import ConfigError
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.gateway import Gateway, Limits
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.gateway.server import serve

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://localhost.evil.example", 403),
        ("http://127.0.0.1.evil.example:8765", 403),
        ("http://localhost:3000", 400),
        ("https://[::1]:3000", 400),
        ("http://127.0.0.1", 400),
        ("https://trusted.example", 400),
    ],
)
async def test_origin(start: Any, origin: str, status: int) -> None:
    demo = await start({}, config.Gateway(allowed_origins=("https://trusted.example",)))
    assert (await demo.post(PING, origin=origin))[0] == status  # 400: allowed, but without a session


async def test_a_page_of_an_allowed_origin_reads_the_answers(start: Any) -> None:
    page = "https://trusted.example"
    demo = await start({}, config.Gateway(allowed_origins=(page,)))
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "mcp-method, content-type"}
    async with demo.http.options(demo.url, headers={"origin": page, **asks}) as answer:
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == page
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert answer.headers["access-control-allow-headers"] == "mcp-method, content-type"
    for body, status in ((PING, 400), (b"{", 400)):
        found, headers, _ = await demo.post(body, origin=page)
        assert (found, headers["access-control-allow-origin"], headers["vary"]) == (status, page, "Origin")
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
    opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    found, headers, _ = await demo.post(opening, origin=page)
    assert found == 200
    assert "Mcp-Session-Id" in headers["access-control-expose-headers"]
    assert headers["mcp-session-id"]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000", ""])
async def test_other_pages_read_nothing(start: Any, origin: str) -> None:
    demo = await start({}, config.Gateway(allowed_origins=("https://trusted.example",)))
    async with demo.http.options(
        demo.url, headers={"access-control-request-method": "POST", **({"origin": origin} if origin else {})}
    ) as answer:
        assert answer.status in {403, 405}
        assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in (await demo.post(PING, origin=origin))[1]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8765", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost:1", 400),
        ("LOCALHOST", 400),
        ("[::1]:99", 400),
        ("named.example:8765", 400),
        ("named.example", 400),
    ],
)
async def test_host(start: Any, host: str, status: int) -> None:
    demo = await start({}, config.Gateway(allowed_hosts=("named.example",)))
    for _ in range(2):
        assert (await demo.post(PING, host=host))[0] == status


async def test_content_type_and_path(start: Any) -> None:
    demo = await start({})
    for kind, status in (("text/plain", 415), ("application/jsonp", 415), ("application/json; charset=utf-8", 400)):
        assert (await demo.post(json.dumps(PING).encode(), content_type=kind))[0] == status
    async with demo.http.get(demo.url.replace("/mcp", "/other")) as answer:
        assert answer.status == 404


async def test_a_body_that_is_too_large(start: Any) -> None:
    demo = await start({}, config.Gateway(max_body_bytes=1000))
    status, headers, body = await demo.post(b'{"a":"' + b"x" * 1000 + b'"}')
    assert (status, headers["connection"]) == (413, "close")
    assert "1000 bytes" in body["error"]["message"]

    async def chunks() -> Any:
        for _ in range(50):
            yield b"x" * 100

    async with demo.http.post(demo.url, data=chunks(), headers={"content-type": "application/json"}) as answer:
        assert answer.status == 413
    # it says so before the body was sent
    host, port = demo.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n{"
    )
    async with asyncio.timeout(60):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_never_arrives(start: Any) -> None:
    demo = await start({}, limits=Limits(body_seconds=0.1))
    host, port = demo.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    )
    async with asyncio.timeout(60):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_one_request_too_many(start: Any) -> None:
    demo = await start({"old": ["--no-answer"]}, limits=Limits(requests=3))
    await demo.initialize()
    calls = [
        asyncio.ensure_future(demo.legacy("tools/call", {"name": "old__echo", "arguments": {"text": str(n)}}))
        for n in range(3)
    ]
    connection = demo.fleet.connections["old"]
    await demo.until(lambda: connection.in_flight == 3)
    status, headers, _ = await demo.post(PING, mcp_session_id=demo.session)
    assert (status, headers["retry-after"]) == (503, "1")
    # clients that go away take their calls with them, and make room
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await demo.until(lambda: connection.in_flight == 0)
    assert (await demo.legacy("ping"))[0] == 200


async def test_a_client_that_leaves_as_its_server_does(start: Any) -> None:
    demo = await start({"old": ["--no-answer"]}, limits=Limits(requests=1))
    await demo.initialize()
    call = asyncio.ensure_future(demo.legacy("tools/call", {"name": "old__echo", "arguments": {"text": "x"}}))
    connection = demo.fleet.connections["old"]
    await demo.until(lambda: connection.in_flight == 1)
    connection.fail("it broke")  # in one turn of the loop: telling the client begins, and has no time to
    assert demo.gateway.flights.withdraw((demo.session, b"1"))
    assert "cancelled" in (await call)[1]["error"]["message"]
    assert (await demo.legacy("ping"))[0] == 200
    assert demo.gateway.sessions.find(demo.session, 0.0).busy == 0


async def test_too_much_at_a_time(start: Any) -> None:
    demo = await start({"old": ["--no-answer"]}, config.Gateway(max_body_bytes=60_000), Limits(buffered_bytes=100_000))
    await demo.initialize()
    large = {"name": "old__echo", "arguments": {"text": "x" * 50_000}}
    first = asyncio.ensure_future(demo.legacy("tools/call", large))
    connection = demo.fleet.connections["old"]
    await demo.until(lambda: connection.in_flight > 0)
    assert (await demo.legacy("ping"))[0] == 200
    assert (await demo.legacy("tools/call", {**large, "arguments": {"text": "x" * 55_000}}))[0] == 503
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_refused_requests_hold_nothing(start: Any) -> None:
    demo = await start(
        {"old": ["--no-answer"]}, config.Gateway(max_body_bytes=9_000), Limits(requests=1, buffered_bytes=10_000)
    )
    await demo.initialize()
    first = asyncio.ensure_future(demo.legacy("tools/call", {"name": "old__echo", "arguments": {"text": "x"}}))
    connection = demo.fleet.connections["old"]
    await demo.until(lambda: connection.in_flight > 0)
    for _ in range(5):
        status, headers, _ = await demo.post({**PING, "params": {"x": "x" * 5_000}}, mcp_session_id=demo.session)
        assert (status, headers["retry-after"]) == (503, "1")
    first.cancel()
    await demo.until(lambda: connection.in_flight == 0)
    assert (await demo.legacy("ping", {"x": "x" * 5_000}))[0] == 200


async def test_port_in_use_and_addresses_that_others_reach() -> None:
    gateway = Gateway(object())  # type: ignore[arg-type]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="in use") as raised:
            async with serve(gateway, "127.0.0.1", taken.getsockname()[1]):
                pass
        assert "--port" in raised.value.hint
    with pytest.raises(ConfigError, match="other machines") as raised:
        async with serve(gateway, "0.0.0.0", 0):  # noqa: S104
            pass
    assert "vsm-mcp key create" in raised.value.hint
    with pytest.raises(ConfigError, match="cannot listen"):
        async with serve(gateway, "no.such.host.invalid", 0, authentication=Authentication(Keyring())):
            pass


async def test_a_call_that_never_ends_does_not_hold_up_the_end(start: Any, caplog: Any) -> None:
    demo = await start({"old": ["--no-answer"]}, limits=Limits(grace_seconds=0.1))
    async with serve(demo.gateway, "127.0.0.1", 0) as address:
        demo.url = address.url
        await demo.initialize()
        call = asyncio.ensure_future(demo.legacy("tools/call", {"name": "old__echo", "arguments": {"text": "x"}}))
        connection = demo.fleet.connections["old"]
        await demo.until(lambda: connection.in_flight == 1)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 1.5
    with pytest.raises(aiohttp.ClientError):
        await call
    assert connection.in_flight == 0
    assert not caplog.records


async def test_nothing_is_left_running(start: Any) -> None:
    before = asyncio.all_tasks()
    demo = await start({"old": ["--no-answer"]})
    await demo.initialize()
    listen = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    async with serve(demo.gateway, "127.0.0.1", 0) as address:
        url, demo.url = demo.url, address.url
        await demo.initialize()
        headers = {"mcp-session-id": demo.session, "accept": "text/event-stream"}
        stream = await demo.http.get(address.url, headers=headers)
        await demo.post(listen, mcp_session_id=demo.session)
    # the stream was ended in good order, not cut off
    assert (await stream.read()).startswith(b": ping")
    demo.url = url
    left = {task for task in asyncio.all_tasks() - before if "run_asgi" in repr(task) or "drain" in repr(task)}
    assert not left
