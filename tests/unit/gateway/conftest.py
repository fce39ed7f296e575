from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

from vsm_mcp import config
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.gateway import Gateway, Limits
from vsm_mcp.gateway.server import serve
from vsm_mcp.wire.era import NAMED_BY

VERSION = "2026-07-28"


def _load() -> ModuleType:
    name = "gateway_fleet"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("fleet.py"))
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


class Endpoint:
    """A gateway on HTTP, and a bare HTTP client for it."""

    def __init__(self, gateway: Gateway, fleet: Any, url: str, http: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.fleet = fleet
        self.url = url
        self.http = http
        self.session = ""

    async def post(self, message: Any, **headers: str) -> tuple[int, dict[str, str], Any]:
        """Send a body as it is; the answer's status, headers and JSON (or text)."""
        fields = {"content-type": "application/json", "accept": "application/json, text/event-stream", **headers}
        fields = {name.replace("_", "-"): value for name, value in fields.items() if value}
        data = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        async with self.http.post(self.url, headers=fields, data=io.BytesIO(data)) as answer:
            body = await answer.text()
            found = {name.lower(): value for name, value in answer.headers.items()}
            is_json = answer.content_type == "application/json" and body
            return answer.status, found, json.loads(body) if is_json else body

    async def modern(self, method: str, params: dict[str, Any] | None = None, **headers: str) -> tuple[int, Any]:
        """Send a well-formed modern request."""
        params = dict(params or {})
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
            **params.pop("_meta", {}),
        }
        fields = {"mcp_protocol_version": VERSION, "mcp_method": method, **headers}
        name = params.get(NAMED_BY.get(method, ""))
        if isinstance(name, str):
            fields.setdefault("mcp_name", name)
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        status, _, body = await self.post(message, **fields)
        return status, body

    async def initialize(self, version: str = "2025-11-25", capabilities: Any = None) -> Any:
        """Open a legacy session."""
        declared = capabilities or {}
        params = {"protocolVersion": version, "capabilities": declared, "clientInfo": {"name": "t", "version": "0"}}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        status, headers, body = await self.post(message)
        assert status == 200, body
        self.session = headers["mcp-session-id"]
        return body["result"]

    async def legacy(self, method: str, params: dict[str, Any] | None = None, **headers: str) -> tuple[int, Any]:
        """Send a request in the legacy session; news of the server may come before its answer, as events."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        status, found, body = await self.post(message, **{"mcp_session_id": self.session, **headers})
        if found.get("content-type", "").startswith("text/event-stream"):
            body = json.loads(body.rpartition("data: ")[2])
        return status, body

    @staticmethod
    async def until(condition: Callable[[], bool]) -> None:
        """Wait, for at most ten seconds, until something holds that nothing announces."""
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.002)


Start = Callable[..., Awaitable[Endpoint]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def make(
            servers: dict[str, Any],
            settings: config.Gateway | None = None,
            limits: Limits | None = None,
            down: dict[str, str] | None = None,
            authentication: Authentication | None = None,
            **more: Any,
        ) -> Endpoint:
            fleet = await stack.enter_async_context(_load().Fleet(servers))
            fleet.down.update(down or {})
            gateway = await fleet.gather(settings, limits, **more)
            address = await stack.enter_async_context(serve(gateway, "127.0.0.1", 0, authentication=authentication))
            http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
            return Endpoint(gateway, fleet, address.url, http)

        yield make


@pytest.fixture
async def demo(start: Start) -> Endpoint:
    """A legacy and a modern server behind one gateway."""
    return await start({"old": ["--mode", "legacy"], "new": ["--mode", "modern"]})
