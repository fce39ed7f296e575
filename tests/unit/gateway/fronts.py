"""One client for each way into the gateway: both eras, over HTTP and over stdio, all asked in the same words."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vsm_mcp.gateway.stdio import serve_stdio

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
FRONTS = ["http modern", "http legacy", "stdio modern", "stdio legacy"]
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}


class Client:
    """Asks one thing at a time. ``notes`` are the notifications that came meanwhile."""

    def __init__(self, *, modern: bool) -> None:
        self.modern = modern
        self.notes: list[dict[str, Any]] = []
        self.hello: dict[str, Any] = {}
        self._ident = 0

    async def greet(self) -> None:
        """Begin as the era wants it."""
        if self.modern:
            self.hello = (await self.ask("server/discover"))["result"]
        else:
            self.hello = (await self.ask("initialize", HELLO))["result"]

    async def ask(self, method: str, params: dict[str, Any] | None = None, token: Any = None) -> dict[str, Any]:
        """Send a request; return the message that answers it."""
        self._ident += 1
        meta = {**(META if self.modern else {}), **({} if token is None else {"progressToken": token})}
        whole = {**(params or {}), **({"_meta": meta} if meta else {})}
        return await self.exchange({"jsonrpc": "2.0", "id": self._ident, "method": method, "params": whole})

    async def call(self, name: str, arguments: Any = None, token: Any = None, **params: Any) -> dict[str, Any]:
        """Call a tool; return its result."""
        given = {} if arguments is None else {"arguments": arguments}
        answer = await self.ask("tools/call", {"name": name, **given, **params}, token)
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def tools(self) -> list[str]:
        """Return the names of the tools that are listed."""
        return [tool["name"] for tool in (await self.ask("tools/list"))["result"]["tools"]]

    async def exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def taken(self, messages: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Keep the notifications among some messages; return the answer, if it is there."""
        self.notes += [message for message in messages if "method" in message]
        return next((message for message in messages if "id" in message), None)


class HttpClient(Client):
    def __init__(self, endpoint: Any, url: str, *, modern: bool) -> None:
        super().__init__(modern=modern)
        self._http = endpoint.http
        self._url = url
        self._session = ""

    async def exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if self.modern:
            headers |= {"mcp-protocol-version": VERSION, "mcp-method": message["method"]}
            member = NAMED.get(message["method"])
            if member:
                headers["mcp-name"] = message["params"][member]
        elif self._session:
            headers["mcp-session-id"] = self._session
        async with self._http.post(self._url, data=json.dumps(message).encode(), headers=headers) as answer:
            self._session = answer.headers.get("mcp-session-id", self._session)
            text = await answer.text()
        if answer.content_type != "text/event-stream":
            whole: dict[str, Any] = json.loads(text)
            return whole
        lines = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        found = self.taken(lines)
        assert found is not None, text
        return found


class PipeClient(Client):
    def __init__(self, reader: asyncio.StreamReader, write_fd: int, *, modern: bool) -> None:
        super().__init__(modern=modern)
        self._reader = reader
        self._write_fd = write_fd

    def send(self, message: dict[str, Any]) -> None:
        """Send a message that nothing answers."""
        os.write(self._write_fd, json.dumps(message).encode() + b"\n")

    async def exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        self.send(message)
        async with asyncio.timeout(60):
            while True:
                found = self.taken([json.loads(await self._reader.readuntil(b"\n"))])
                if found is not None:
                    return found


@asynccontextmanager
async def opened(front: str, endpoint: Any, profile: str = "") -> AsyncIterator[Client]:
    """Connect through one of :data:`FRONTS` and greet."""
    modern = front.endswith("modern")
    if front.startswith("http"):
        client: Client = HttpClient(endpoint, f"{endpoint.url}/{profile}".rstrip("/"), modern=modern)
        await client.greet()
        yield client
        return
    to_gateway, to_client = os.pipe(), os.pipe()
    view = endpoint.gateway.find_view(profile)
    serving = asyncio.ensure_future(serve_stdio(endpoint.gateway, to_gateway[0], to_client[1], view))
    reader = asyncio.StreamReader(limit=64 << 20)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(to_client[0], "rb")
    )
    client = PipeClient(reader, to_gateway[1], modern=modern)
    try:
        await client.greet()
        yield client
    finally:
        os.close(to_gateway[1])
        async with asyncio.timeout(60):
            await serving
        transport.close()
