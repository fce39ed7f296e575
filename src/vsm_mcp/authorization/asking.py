"""Requests to authorization servers: rare, small, and to addresses that somebody else names; loaded with the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import httpx2

from vsm_mcp.errors import HttpRefused
from vsm_mcp.model.loopback import on_loopback

_SECONDS: Final = 15.0
_MAX_BYTES: Final = 1024 * 1024


class Way(NamedTuple):
    """A client, and whether the MCP server is on this machine: only then its authorization server may be, too."""

    client: httpx2.AsyncClient
    local: bool


@asynccontextmanager
async def asking(server_url: str) -> AsyncIterator[Way]:
    """Give a way to ask about the MCP server at ``server_url``."""
    async with httpx2.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client:
        yield Way(client, on_loopback(httpx2.URL(server_url).host))


async def ask(way: Way, request: httpx2.Request) -> httpx2.Response:
    """Send a request and return its response, read.

    Raises :class:`HttpRefused` for an address that tokens may not go to and an answer of more than 1 MiB,
    ``httpx2.HTTPError`` and ``TimeoutError`` when nothing answers. Only https will do (specification 2026-07-28,
    "Authorization: Communication Security"); a server on this machine may do without.
    """
    url = request.url
    if not (url.scheme == "https" or (url.scheme == "http" and way.local and on_loopback(url.host))):
        raise HttpRefused(
            401, f"the server sends us to {url.scheme}://{url.host} for authorization", "OAuth needs https"
        )
    async with asyncio.timeout(_SECONDS):
        response = await way.client.send(request, stream=True)
        try:
            body = await _body(response)
        finally:
            await response.aclose()
    kept = {
        name: value for name, value in response.headers.items() if name not in {"content-encoding", "content-length"}
    }
    read = httpx2.Response(response.status_code, headers=kept, content=body, request=request)
    read.next_request = response.next_request
    return read


async def _body(response: httpx2.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > _MAX_BYTES:
            raise HttpRefused(401, f"{response.request.url.host} answers with more than {_MAX_BYTES} bytes")
    return b"".join(parts)
