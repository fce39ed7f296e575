"""One request with a body, and the answer to it: bounded in time and size, sent on nowhere, tried once.

It costs somebody money, so nothing is tried again; nothing of the answer and nothing of the key is in an error.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from vsm_mcp.deferred import deferred
from vsm_mcp.discovery.network.get import host
from vsm_mcp.discovery.network.secret import Secret
from vsm_mcp.discovery.research.question import Request
from vsm_mcp.errors import SourceUnavailable
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.trust import trust

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = deferred("aiohttp")

_MOST_BYTES: Final = 1024 * 1024
_CHUNK: Final = 1 << 16


async def post(request: Request, key: Secret, addresses: Addresses, seconds: float) -> bytes:
    """Return the body of the answer. Raises :class:`SourceUnavailable`."""
    place = host(request.url)
    headers = {**request.headers, **({request.key_header: request.key_prefix + key.reveal()} if key else {})}
    try:
        async with asyncio.timeout(seconds):
            connector = aiohttp.TCPConnector(ssl=trust(addresses.ca_file))
            async with (
                aiohttp.ClientSession(connector=connector, trust_env=False) as session,
                session.post(
                    request.url,
                    data=request.body,
                    headers=headers,
                    proxy=addresses.proxy(request.url),
                    allow_redirects=False,
                ) as response,
            ):
                if response.status != 200:
                    raise SourceUnavailable(f"{place} answered {response.status}{_meant(response.status)}")
                return await _body(response, place)
    except TimeoutError:
        raise SourceUnavailable(f"{place} did not answer within {seconds:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # no cause: a traceback of the client's shows the headers
        raise SourceUnavailable(f"{place}: {type(error).__name__}") from None


async def _body(response: aiohttp.ClientResponse, place: str) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(_CHUNK):
        body += piece
        if len(body) > _MOST_BYTES:
            raise SourceUnavailable(f"{place} answers more than {_MOST_BYTES:,} bytes")
    return bytes(body)


def _meant(status: int) -> str:
    if status in {401, 403}:
        return ": look at [discovery.research] key"
    if status in {400, 404, 422}:
        return ": look at [discovery.research] url, api and model"
    return " (a redirect is not followed)" if 300 <= status < 400 else ""
