"""A host on loopback that answers as it is told, and everything that can go wrong with one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from vsm_mcp.discovery.network.limits import Limits
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.store import Store

Handler = Callable[["Host", web.BaseRequest], Awaitable[web.StreamResponse]]
QUICK = Limits(timeout=30.0, first_pause=0.001, longest_pause=0.002)
"""Limits for tests that wait for an answer, however long a busy machine takes."""
SHORT = Limits(timeout=0.6, first_pause=0.001, longest_pause=0.002)
"""Limits for tests in which no good answer is to come."""
JUNK = 10 * 1024 * 1024


class Host:
    """Answers with ``handler``; remembers the paths and headers of what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.address = ""
        self.closing = asyncio.Event()
        self._changed = asyncio.Condition()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        self.headers.append(dict(request.headers))
        async with self._changed:
            self._changed.notify_all()
        return await self.handler(self, request)

    async def until_asked(self, times: int) -> None:
        """Wait until so many questions have come."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.asked) >= times)


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Host]:
    """Serve a handler on loopback."""
    host = Host(handler)
    runner = web.ServerRunner(web.Server(host), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield host
    finally:
        host.closing.set()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def web_of(home: Path, **addresses: Any) -> AsyncIterator[Web]:
    """A network with its cache in a real home."""

    async def known() -> Addresses:
        return Addresses(**{"npm": "", "pypi_index": "", **addresses})

    async with Store(home) as store, Web(store.cache, known) as made:
        yield made


def saying(body: Any, **headers: str) -> Handler:
    """A handler that always gives the same JSON."""

    async def answer(_host: Host, _request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(body, headers=headers)

    return answer


def in_turn(*handlers: Handler) -> Handler:
    """A handler that answers once with each of several, and then for ever with the last."""
    left = list(handlers)

    async def answer(host: Host, request: web.BaseRequest) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(host, request)

    return answer


def status(code: int, **headers: str) -> Handler:
    """A handler that gives a status and no more."""

    async def answer(_host: Host, _request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


async def html(_host: Host, _request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="<!doctype html><title>Log in to the hotel</title>", content_type="text/html")


async def cut_off(_host: Host, request: web.BaseRequest) -> web.StreamResponse:
    """Half of what was promised, and the connection is gone."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "4000"})
    await response.prepare(request)
    await response.write(b'{"servers": [{"name": "half a')
    if request.transport is not None:
        request.transport.close()
    return response


async def half_json(_host: Host, _request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=b'{"servers": [{"name": "half a', content_type="application/json")


async def stalled(host: Host, request: web.BaseRequest) -> web.StreamResponse:
    """A beginning, and then nothing."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "4000"})
    await response.prepare(request)
    await response.write(b"{")
    await host.closing.wait()
    return response


async def round_in_circles(host: Host, request: web.BaseRequest) -> web.StreamResponse:
    raise web.HTTPFound(f"{host.address}{request.path}?again")


async def junk(_host: Host, request: web.BaseRequest) -> web.StreamResponse:
    """Ten megabytes of something."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(JUNK >> 16):
            await response.write(b"[" * (1 << 16))
    return response


async def odd(_host: Host, _request: web.BaseRequest) -> web.StreamResponse:
    """JSON, but of no shape that anybody expects."""
    shapes = {"servers": 7, "objects": [None, 3, {"package": []}], "items": {"a": 1}, "projects": [[], {"name": 4}]}
    return web.Response(text=json.dumps(shapes), content_type="application/json")


FAULTS: Mapping[str, Handler] = {
    "404": status(404),
    "429": status(429, Retry_After="3600"),
    "429 at once": status(429, Retry_After="0"),
    "500": status(500),
    "stalled": stalled,
    "html": html,
    "cut off": cut_off,
    "half JSON": half_json,
    "redirect loop": round_in_circles,
    "10 MB of junk": junk,
}
"""What a host can do instead of answering; every source has to live with each of them."""
