"""One HTTP endpoint: its address, what every request to it carries, and its sockets."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Final

import msgspec

import vsm_mcp
from vsm_mcp.errors import HttpRefused, TransportError, VsmError
from vsm_mcp.wire.address import Address
from vsm_mcp.wire.authorizer import Access, Authorizer, Challenged
from vsm_mcp.wire.exchange import Exchange, Moved, Stale
from vsm_mcp.wire.http11 import Socket
from vsm_mcp.wire.pool import Pool
from vsm_mcp.wire.transport import Done, MakeSocket, unsent

_REDIRECTIONS: Final = 2
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
_OURS: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "expect", "host", "keep-alive", "te"}
    | {"last-event-id", "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id", "trailer", "upgrade"}
    | {"transfer-encoding"}
)
"""Headers that the protocols write themselves: a second one would contradict them."""
_FIXED: Final = f"Accept-Encoding: identity\r\nUser-Agent: vsm-mcp/{vsm_mcp.__version__}\r\n".encode()
_ACCEPT: Final = {
    "POST": b"Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n",
    "GET": b"Accept: text/event-stream\r\n",
}


class Site:
    """What requests are sent to. ``headers`` may hold secrets: nothing shows them, nor the path of the address.

    ``place`` (scheme, host and port) is what messages call it. ``context`` says whom to trust over TLS (default: whom
    the machine trusts). ``authorizer`` is asked when the server wants authorization, unless ``headers`` hold one.
    ``sockets`` makes the sockets, where not any one leads there.
    Raises :class:`TransportError` for headers that cannot be sent.
    """

    def __init__(
        self,
        address: Address,
        headers: Mapping[str, str],
        context: ssl.SSLContext | None = None,
        authorizer: Authorizer | None = None,
        sockets: MakeSocket | None = None,
    ) -> None:
        self.address = address
        self.place = address.origin
        self._lines = _FIXED + header_lines(headers)
        given = any(name.lower() == "authorization" for name in headers)
        self._access = Access(None if given else authorizer)
        self._context = context
        self._sockets = sockets
        self._pool = Pool(address, context, sockets)
        self._left: list[Pool] = []
        self._heads: dict[str, bytes] = {}

    def begin(self, exchange: Exchange, done: Done) -> bool:
        """Send a request at once, if a socket is free; else do nothing and return ``False``."""
        socket = self._pool.take(recent=not exchange.repeatable)
        if socket is None:
            return False
        exchange.done = done
        self._ask(socket, exchange)
        return True

    async def perform(self, exchange: Exchange, *, bounded: bool = True, trouble: VsmError | None = None) -> None:
        """Send a request and wait for its end; raises what went wrong.

        A request that met a socket which its server had closed is sent once more, if it is repeatable, and so is one
        that got authorization after it was refused; redirections are followed within the origin. ``trouble`` is how
        it ended when it was sent already. What is not ``bounded`` never waits for a free socket.
        """
        again = moves = renewals = 0
        while True:
            if trouble is None:
                trouble = await self._sent(exchange, fresh=again > 0, bounded=bounded)
                if trouble is None:
                    return
            if isinstance(trouble, Stale) and exchange.repeatable and not again:
                again += 1
            elif isinstance(trouble, Moved):
                moves += 1
                if moves > _REDIRECTIONS:
                    raise TransportError("the server redirects without end")
                self._follow(exchange, trouble)
            elif isinstance(trouble, Challenged) and not renewals:
                renewals += 1
                if not await self._access.renewed(trouble, exchange.authorized):
                    raise trouble
            else:
                raise trouble
            trouble = None

    async def close(self) -> None:
        """Close all sockets."""
        await self._access.close()
        for pool in (self._pool, *self._left):
            await pool.close()

    # --- sending -------------------------------------------------------------------------------------------------

    async def _sent(self, exchange: Exchange, *, fresh: bool, bounded: bool) -> VsmError | None:
        pool = self._pool
        try:
            socket = await (pool.open() if fresh else pool.wait(recent=not exchange.repeatable, bounded=bounded))
        except VsmError as error:
            raise unsent(error) from error.__cause__
        ended: asyncio.Future[VsmError | None] = asyncio.get_running_loop().create_future()

        def done(trouble: VsmError | None) -> None:
            if not ended.done():
                ended.set_result(trouble)

        exchange.done = done
        self._ask(socket, exchange)
        try:
            return await ended
        except asyncio.CancelledError:
            exchange.cancel()
            raise

    def _ask(self, socket: Socket, exchange: Exchange) -> None:
        exchange.socket, exchange.place = socket, self.place
        size = b"Content-Length: %d\r\n\r\n" % len(exchange.body) if exchange.method == "POST" else b"\r\n"
        exchange.authorized = line = self._access.line
        socket.ask(self._head(exchange) + line + exchange.lines + size, exchange.body, exchange)

    def _head(self, exchange: Exchange) -> bytes:
        """Return what requests of one method have in common, up to their own lines."""
        method, target = exchange.method, exchange.target
        head = None if target else self._heads.get(method)
        if head is None:
            first = f"{method} {target or self.address.target} HTTP/1.1\r\nHost: {self.address.authority}\r\n".encode()
            head = first + _ACCEPT.get(method, b"") + self._lines
            if not target:
                self._heads[method] = head
        return head

    # --- redirections --------------------------------------------------------------------------------------------

    def _follow(self, exchange: Exchange, moved: Moved) -> None:
        """Go where a redirect leads, if it stays on this origin and keeps the method: headers hold secrets."""
        here = self.address
        try:
            there = here.joined(moved.location)
        except TransportError:
            raise HttpRefused(moved.status, f"{here.origin} redirects to nowhere") from None
        secured = (here.scheme, there.scheme, here.host) == ("http", "https", there.host) and there.port == 443
        if moved.status not in {307, 308} or not (there.origin == here.origin or secured):
            raise HttpRefused(moved.status, f"{here.origin} redirects to {there.origin}", "use the URL it redirects to")
        if exchange.target:
            exchange.target, there = there.target, msgspec.structs.replace(there, target=here.target)
        if secured:
            self._left.append(self._pool)
            self._pool = Pool(there, self._context, self._sockets)
        self.address, self.place = there, there.origin
        self._heads.clear()


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Return headers as they are sent. Raises :class:`TransportError`, naming no value, for what cannot be sent."""
    lines = []
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise TransportError(
                "a header given for the server holds characters that HTTP does not allow",
                "give NAME=VALUE without line breaks; the name is letters, digits and dashes",
            )
        if name.lower() in _OURS:
            raise TransportError(f"the header {name} belongs to the protocol", "leave it out: it is sent as it must be")
        lines.append(f"{name}: {value}\r\n".encode())
    return b"".join(lines)
