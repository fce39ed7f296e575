from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from vsm_mcp import config
from vsm_mcp.errors import ConfigError
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.stdio import serve_stdio

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Client:
    """The other end of the pipes."""

    def __init__(self, reader: asyncio.StreamReader, write_fd: int) -> None:
        self.reader = reader
        self.write_fd = write_fd

    def send(self, *messages: Any) -> None:
        lines = [message if isinstance(message, bytes) else json.dumps(message).encode() for message in messages]
        os.write(self.write_fd, b"".join(line + b"\n" for line in lines))

    async def receive(self) -> Any:
        async with asyncio.timeout(60):
            return json.loads(await self.reader.readuntil(b"\n"))

    async def ask(self, method: str, params: Any = None, ident: Any = 1) -> Any:
        self.send({"jsonrpc": "2.0", "id": ident, "method": method, "params": params or {}})
        answer = await self.receive()
        assert answer["id"] == ident
        return answer

    def leave(self) -> None:
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1


@asynccontextmanager
async def attached(gateway: Gateway) -> AsyncIterator[Client]:
    to_gateway, to_client = os.pipe(), os.pipe()
    serving = asyncio.ensure_future(serve_stdio(gateway, to_gateway[0], to_client[1]))
    reader = asyncio.StreamReader(limit=64 << 20)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(to_client[0], "rb")
    )
    client = Client(reader, to_gateway[1])
    try:
        yield client
    finally:
        client.leave()
        async with asyncio.timeout(60):
            await serving
        transport.close()


async def initialize(client: Client) -> Any:
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
    answer = await client.ask("initialize", params, 0)
    client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    return answer["result"]


async def test_legacy(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        assert (await initialize(client))["protocolVersion"] == "2025-06-18"
        assert (await client.ask("ping"))["result"] == {}
        names = [tool["name"] for tool in (await client.ask("tools/list"))["result"]["tools"]]
        assert "old__echo" in names
        for server in ("old", "new"):
            answer = await client.ask("tools/call", {"name": f"{server}__echo", "arguments": {"text": "a\nb"}})
            assert answer["result"]["content"][0]["text"] == "echo:a\nb"
        assert (await client.ask("nonsense"))["error"]["code"] == -32601
        answer = await client.ask("tools/list", {"_meta": META})
        assert answer["error"]["code"] == -32600
    assert len(demo.gateway.sessions) == 0


async def test_modern(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        result = (await client.ask("server/discover", {"_meta": META}))["result"]
        assert result["supportedVersions"] == [VERSION]
        answer = await client.ask("tools/call", {"name": "old__add", "arguments": {"a": 1, "b": 2}, "_meta": META})
        assert answer["result"]["content"][0]["text"] == "3"
        assert answer["result"]["resultType"] == "complete"
        answer = await client.ask("initialize", {"protocolVersion": "2025-06-18"})
        assert (answer["error"]["code"], answer["error"]["data"]["supported"]) == (-32022, [VERSION])
        assert (await client.ask("tools/list"))["error"]["code"] == -32602
        wrong = {**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}
        assert (await client.ask("tools/list", {"_meta": wrong}))["error"]["code"] == -32022
        assert (await client.ask("ping", {"_meta": META}))["error"]["code"] == -32601


async def test_a_server_that_is_only_started_by_a_call_answers_it(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        await initialize(client)
        call = {"name": "old__echo", "arguments": {"text": "a"}}
        await demo.fleet.connections.pop("old").close()
        assert demo.fleet.ready("old") is None
        assert (await client.ask("tools/call", call))["result"]["content"][0]["text"] == "echo:a"
        assert demo.fleet.ready("old") is not None
        assert (await client.ask("tools/call", call))["result"]["content"][0]["text"] == "echo:a"


async def test_a_probe_that_is_not_modern_leads_to_legacy(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        assert (await client.ask("server/discover"))["error"]["code"] == -32601
        assert (await initialize(client))["protocolVersion"] == "2025-06-18"


async def test_subscriptions_and_list_changes(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        wanted = {"notifications": {"toolsListChanged": True}, "_meta": META}
        client.send({"jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen", "params": wanted})
        first = await client.receive()
        assert first["method"] == "notifications/subscriptions/acknowledged"
        demo.gateway.remove_offer("new")
        change = await client.receive()
        assert change["method"] == "notifications/tools/list_changed"
        assert change["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 7
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
        await demo.until(lambda: len(demo.gateway.view.changes) == 0)
    async with attached(demo.gateway) as client:
        await initialize(client)
        await client.ask("ping")
        await demo.until(lambda: len(demo.gateway.view.changes) == 1)
        demo.gateway.remove_offer("old")
        found = {(await client.receive())["method"] for _ in range(3)}
        assert found == {f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")}


async def test_calls_side_by_side_and_cancelled(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        await initialize(client)
        slow = {"name": "old__slow", "arguments": {"seconds": 30}}
        client.send({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": slow})
        answer = await client.ask("tools/call", {"name": "old__echo", "arguments": {"text": "x"}}, "quick")
        assert answer["result"]["content"][0]["text"] == "echo:x"
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}})
        connection = demo.fleet.connections["old"]
        await demo.until(lambda: connection.in_flight == 0)
        assert (await client.ask("ping", ident=9))["result"] == {}  # no answer to the cancelled call came before


async def test_a_call_that_is_cancelled_in_the_same_breath(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        await initialize(client)
        slow = {"name": "old__slow", "arguments": {"seconds": 30}}
        client.send(
            {"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": slow},
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}},
        )
        assert (await client.ask("ping", ident=9))["result"] == {}
        await demo.until(lambda: demo.fleet.connections["old"].in_flight == 0)
        assert len(demo.gateway.flights) == 0


async def test_progress(start: Any) -> None:
    demo = await start({"old": ["--progress", "2"]})
    async with attached(demo.gateway) as client:
        await initialize(client)
        params = {"name": "old__echo", "arguments": {"text": "x"}, "_meta": {"progressToken": 77}}
        client.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        for _ in range(2):
            assert (await client.receive())["params"]["progressToken"] == 77
        assert (await client.receive())["id"] == 1


async def test_rubbish_is_answered_and_survived(start: Any) -> None:
    demo = await start({}, config.Gateway(max_body_bytes=1000))
    async with attached(demo.gateway) as client:
        for line, code in (
            (b"rubbish", -32700),
            (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
            (b"x" * 3000, -32600),
            (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602),
        ):
            client.send(line)
            assert (await client.receive())["error"]["code"] == code
        client.send(b"", b"   ", b'{"jsonrpc":"2.0","id":5,"result":{}}')
        assert (await client.ask("ping"))["result"] == {}


async def test_the_last_answers_are_given_after_the_client_closed_its_end(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        await initialize(client)
        slow = {"name": "old__slow", "arguments": {"seconds": 0.2}}
        client.send({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": slow})
        os.write(client.write_fd, b'{"jsonrpc":"2.0","id":4,"method":"ping"}')  # without its newline
        client.leave()
        assert {(await client.receive())["id"], (await client.receive())["id"]} == {3, 4}
        async with asyncio.timeout(60):
            assert await client.reader.read() == b""


async def test_a_last_message_that_is_too_long_is_answered_too(start: Any) -> None:
    demo = await start({}, config.Gateway(max_body_bytes=1000))
    async with attached(demo.gateway) as client:
        os.write(client.write_fd, b"x" * 3000)  # without its newline
        client.leave()
        assert "more than 1000 bytes" in (await client.receive())["error"]["message"]


async def test_a_client_that_does_not_read_is_not_read_from(demo: Any) -> None:
    async with attached(demo.gateway) as client:
        await initialize(client)
        loop = asyncio.get_running_loop()
        line = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n' * 20
        os.set_blocking(client.write_fd, False)
        # The pipe towards us is not read meanwhile: sooner or later the gateway has to stop reading as well.
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        blocked_since = None
        async with asyncio.timeout(30):
            while blocked_since is None or loop.time() - blocked_since < 0.5:
                try:
                    os.write(client.write_fd, line)
                    blocked_since = None
                except BlockingIOError:
                    blocked_since = blocked_since or loop.time()
                    await asyncio.sleep(0.01)
                else:
                    await asyncio.sleep(0)
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        client.leave()
        async with asyncio.timeout(30):
            await client.reader.read()


async def test_what_a_server_says_to_a_client_that_does_not_read_is_dropped_but_for_its_answer(start: Any) -> None:
    demo = await start({"old": ["--progress", "20000"]})
    async with attached(demo.gateway) as client:
        await initialize(client)
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        params = {"name": "old__echo", "arguments": {"text": "x"}, "_meta": {"progressToken": "t" * 500}}
        client.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        connection = demo.fleet.connections["old"]
        await demo.until(lambda: connection.in_flight > 0)
        await demo.until(lambda: connection.in_flight == 0)
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        heard = 0
        while "method" in (message := await client.receive()):
            heard += 1
        assert message["id"] == 1
        assert 0 < heard < 5000
        assert (await client.ask("ping"))["result"] == {}


async def test_one_socket_in_both_directions(demo: Any) -> None:
    ours, theirs = socket.socketpair()
    descriptor = ours.detach()
    serving = asyncio.ensure_future(serve_stdio(demo.gateway, descriptor, os.dup(descriptor)))
    reader, writer = await asyncio.open_connection(sock=theirs)
    client = Client(reader, theirs.fileno())
    await initialize(client)
    for number in range(3):
        answer = await client.ask("tools/call", {"name": "old__echo", "arguments": {"text": str(number)}}, number)
        assert answer["result"]["content"][0]["text"] == f"echo:{number}"
    slow = {"name": "old__slow", "arguments": {"seconds": 0.1}}
    client.send({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": slow})
    writer.write_eof()
    assert (await client.receive())["id"] == 3
    async with asyncio.timeout(60):
        assert await reader.read() == b""
        await serving
    writer.close()
    await writer.wait_closed()


async def test_no_pipes() -> None:
    with tempfile.TemporaryFile() as file, pytest.raises(ConfigError, match="cannot be served"):
        await serve_stdio(Gateway(object()), os.dup(file.fileno()), os.dup(file.fileno()))  # type: ignore[arg-type]
