"""One GET, of which only the status matters: how an HTTP server is asked whether it is well."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from vsm_mcp.errors import HttpRefused, ProtocolError, RequestTimeout
from vsm_mcp.wire.address import read_address
from vsm_mcp.wire.dial import dial, unreachable
from vsm_mcp.wire.transport import MakeSocket

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_LIMIT: Final = 4096


class _Answer(asyncio.Protocol):
    """Waits for the first line of what comes back."""

    def __init__(self) -> None:
        self.line: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # a stream's, as it was made for one

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not self.line.done() and (b"\n" in self._read or len(self._read) > _LIMIT):
            self.line.set_result(self._read.split(b"\n", 1)[0])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.line.done():
            self.line.set_result(self._read)


async def get(url: str, seconds: float, sockets: MakeSocket | None = None) -> None:
    """Ask for ``url`` (http); redirections are not followed, and count as an answer.

    Raises :class:`HttpRefused` for a status of 400 and above, :class:`TransportError` when nothing answers there,
    :class:`RequestTimeout` after ``seconds``, :class:`ProtocolError` for what is no HTTP.
    """
    address = read_address(url, {"http"})
    answer: _Answer | None = None
    try:
        async with asyncio.timeout(seconds):
            answer = await dial(address, _Answer, sockets=sockets)
            assert answer.transport is not None  # noqa: S101 - it is connected
            answer.transport.write(
                f"GET {address.target} HTTP/1.1\r\nHost: {address.authority}\r\nConnection: close\r\n\r\n".encode()
            )
            line = await answer.line
    except TimeoutError:
        raise RequestTimeout(f"{address.origin} did not answer GET {address.target} within {seconds:g} s") from None
    except OSError as error:
        raise unreachable(address.origin, error) from error
    finally:
        if answer is not None and answer.transport is not None:
            answer.transport.abort()
    found = _STATUS.match(line + b"\r")
    if found is None:
        raise ProtocolError(f"{address.origin} did not answer GET {address.target} by HTTP")
    if (status := int(found[1])) >= 400:
        raise HttpRefused(status, f"{address.origin} answered GET {address.target} with {status}")
