"""A person with a browser on this machine: the browser comes back to a port of ours (RFC 8252, section 7.3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

from vsm_mcp.errors import HomeError, LoginNeeded

_PATH: Final = "/callback"
_SECONDS: Final = 300.0
_REQUEST_SECONDS: Final = 5.0
_MAX_QUERY: Final = 16 * 1024
_DONE: Final = b"Done. You can close this window and go back to where you began."
_NOT_HERE: Final = b"Nothing is awaited here."


class Browser:
    """Somebody who opens the address that ``show`` is called with; made by :func:`browser`."""

    def __init__(self, show: Callable[[str], None], seconds: float) -> None:
        self.redirect_uri = ""
        self._show = show
        self._seconds = seconds
        self._state = ""
        self._back: asyncio.Future[Mapping[str, str]] | None = None

    async def consent(self, url: str) -> Mapping[str, str]:
        """Show ``url`` and wait for the browser. Raises :class:`LoginNeeded` when it does not come back in time."""
        self._state = _query(url).get("state", "")
        self._back = asyncio.get_running_loop().create_future()
        self._show(url)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._back
        except TimeoutError:
            raise LoginNeeded(401, f"nobody agreed within {self._seconds:g} s") from None

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of whatever comes to the port."""
        with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                line = await reader.readuntil(b"\n")
                while (await reader.readuntil(b"\n")).strip():
                    pass
                ours = self._take(line.decode("latin-1").split())
                status, text = (b"200 OK", _DONE) if ours else (b"404 Not Found", _NOT_HERE)
                head = b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                writer.write(head % (status, len(text)) + text)
                await writer.drain()
        writer.close()

    def _take(self, words: list[str]) -> bool:
        """Take the answer that is awaited, and no other: any page in a browser can ask for an address on loopback."""
        if len(words) < 2 or words[0] != "GET" or urlsplit(words[1]).path != _PATH:
            return False
        found = _query(words[1])
        if self._back is None or self._back.done() or not self._state or found.get("state") != self._state:
            return False
        self._back.set_result(found)
        return True


@asynccontextmanager
async def browser(show: Callable[[str], None], port: int = 0, seconds: float = _SECONDS) -> AsyncIterator[Browser]:
    """Listen on 127.0.0.1 (``port`` 0: any) while somebody is asked. Raises :class:`HomeError` for a port in use."""
    person = Browser(show, seconds)
    try:
        server = await asyncio.start_server(person.answer, "127.0.0.1", port, limit=_MAX_QUERY)
    except OSError as error:
        raise HomeError(f"port {port} on loopback cannot be used: {error.strerror}", "give another --port") from error
    async with server:
        person.redirect_uri = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{_PATH}"
        yield person


def _query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, max_num_fields=50).items()}
