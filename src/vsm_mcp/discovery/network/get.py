"""One request with its caps: size, redirects, and where a secret may go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import urljoin, urlsplit

from vsm_mcp.deferred import deferred
from vsm_mcp.discovery.network.limits import Limits
from vsm_mcp.errors import SourceUnavailable
from vsm_mcp.registries.addresses import Addresses, shown
from vsm_mcp.registries.trouble import trouble

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = deferred("aiohttp")

_CHUNK: Final = 1 << 16
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SECRETIVE: Final = frozenset({"authorization", "x-api-key"})


class Got(NamedTuple):
    """An answer; the names of its headers are in lower case, its body is empty unless the status is 200."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Reading(Protocol):
    """What is made of a body as it comes in."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""

    def done(self) -> bytes:
        """Return what is kept of it all."""


class Whole:
    """Keeps everything."""

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        self._body += piece

    def done(self) -> bytes:
        """Return all of it."""
        return bytes(self._body)


class Broken(SourceUnavailable):
    """A request that failed on its way, so that another try may mend it."""


def host(url: str) -> str:
    """Return the host of an address, for messages and limits: without user, password and path."""
    return urlsplit(shown(url)).netloc or "nowhere"


class Getter:
    """Makes requests over one pool of connections; close it with :meth:`close`."""

    def __init__(self, session: aiohttp.ClientSession, addresses: Addresses) -> None:
        self._session = session
        self._addresses = addresses

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, url: str, headers: Mapping[str, str], limits: Limits, reading: Reading) -> Got:
        """Ask once. Raises :class:`Broken`, or :class:`SourceUnavailable` for what another try would not mend."""
        for _ in range(limits.redirects + 1):
            try:
                got = await self._once(url, headers, limits, reading)
            except (aiohttp.ClientError, ValueError, OSError) as error:  # TimeoutError is an OSError
                raise Broken(f"{host(url)}: {_reason(error)}") from error
            if got.status not in _REDIRECTS:
                return got
            target = _target(url, got.headers.get("location", ""))
            if not _same_place(url, target):
                headers = {name: value for name, value in headers.items() if name.lower() not in _SECRETIVE}
            url = target
        raise SourceUnavailable(f"{host(url)} sends us on more than {limits.redirects} times")

    async def _once(self, url: str, headers: Mapping[str, str], limits: Limits, reading: Reading) -> Got:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.timeout / 2, sock_read=limits.timeout / 2)
        async with self._session.get(
            url, headers=headers, proxy=self._addresses.proxy(url), timeout=timeout, allow_redirects=False
        ) as response:
            told = {name.lower(): value for name, value in response.headers.items()}
            if response.status != 200:
                return Got(response.status, told, b"")
            size = 0
            async for piece in response.content.iter_chunked(_CHUNK):
                size += len(piece)
                if size > limits.max_bytes:
                    raise SourceUnavailable(f"{host(url)} answers more than {limits.max_bytes:,} bytes")
                reading.feed(piece)
            return Got(200, told, reading.done())


def _target(url: str, location: str) -> str:
    target = urljoin(url, location)
    schemes = {"https"} if url.startswith("https:") else {"http", "https"}
    if not location or urlsplit(target).scheme not in schemes:
        raise SourceUnavailable(f"{host(url)} sends us on to an address that is not to be trusted")
    return target


def _same_place(one: str, other: str) -> bool:
    return urlsplit(one)[:2] == urlsplit(other)[:2]


def _reason(error: BaseException) -> str:
    return "the answer broke off" if isinstance(error, aiohttp.ClientPayloadError) else trouble(error)
