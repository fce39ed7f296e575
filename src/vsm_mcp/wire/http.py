"""MCP over streamable HTTP, in both eras.

Sources: specification 2026-07-28, "Transports: Streamable HTTP" (stateless: headers repeat the version, the method
and the name; closing an answer cancels it) and 2025-11-25, "Transports: Streamable HTTP" (sessions, the GET stream,
resumed streams). An answer is one JSON document or a stream of events; both are handled for every request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final

from vsm_mcp.errors import HttpRefused, TransportError, VsmError
from vsm_mcp.wire.address import read_address
from vsm_mcp.wire.authorizer import Authorizer, Challenged
from vsm_mcp.wire.exchange import Cut, Events, Exchange, Moved, Stale
from vsm_mcp.wire.post import Notice, Post, SessionGone
from vsm_mcp.wire.session import MAX_RETRY_SECONDS, Session
from vsm_mcp.wire.site import Site
from vsm_mcp.wire.tasks import Tasks
from vsm_mcp.wire.transport import Deliver, Done, Head, Lost, MakeSocket

_RESUME_ATTEMPTS: Final = 5
_MENDABLE: Final = (Challenged, Cut, Moved, SessionGone, Stale)


class HttpTransport:
    """One MCP endpoint. ``url`` and ``headers`` may hold secrets: neither is ever part of a message or an error.

    An answer may be ``max_message`` bytes long. ``context`` says whom to trust over TLS (default: whom the machine
    trusts), ``authorizer`` is asked when the server wants authorization, ``sockets`` makes the sockets that lead there.
    """

    kind = "streamable-http"
    only_era: str | None = None
    closing_cancels = True

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_message: int = 32 * 1024 * 1024,
        context: ssl.SSLContext | None = None,
        authorizer: Authorizer | None = None,
        sockets: MakeSocket | None = None,
    ) -> None:
        self._url = url
        self._headers = dict(headers or {})
        self._max_message = max_message
        self._context = context
        self._authorizer = authorizer
        self._sockets = sockets
        self._tasks = Tasks()
        self._opened = self._closed = False

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Prepare; no byte is sent before the first message. Raises :class:`TransportError` for an unusable URL."""
        self._deliver = deliver
        address = read_address(self._url, {"http", "https"})
        self._site = Site(address, self._headers, self._context, self._authorizer, self._sockets)
        self._session = Session(self._site, self._attempt, lost, self._max_message)
        self._opened = True

    def try_send(self, data: bytes) -> bool:
        """Do nothing: a message over HTTP needs a head, see :meth:`begin`."""
        return False

    def begin(self, data: bytes, head: Head, done: Done) -> Exchange | None:
        """POST a request at once and without a task, if a socket is free; else do nothing and return ``None``.

        ``done`` is called once: with ``None`` after the response was delivered, or with the error that :meth:`send`
        would raise. What is returned can be cancelled, which cancels the request in the modern era; then nothing is
        called.
        """
        if self._closed or self._session.reviving or head.kind != "request" or head.method == "initialize":
            return None
        post = self._post(data, head, self._deliver)

        def ended(trouble: VsmError | None) -> None:
            if isinstance(trouble, _MENDABLE) and not self._closed:
                post.rest = self._tasks.spawn(self._rest(post, trouble, done))
            else:
                done(trouble)

        return post if self._site.begin(post, ended) else None

    async def send(self, data: bytes, head: Head) -> None:
        """POST a message and deliver what comes back, until it is answered.

        Raises :class:`HttpRefused` for a status that will not change, :class:`TransportError` (which may be tried
        again) for a broken connection, 408, 429 and 5xx, and :class:`ProtocolError` for an answer that is no message.
        """
        if head.method == "initialize":
            self._session.greet(data, head)
        await self._session.settled()
        if head.kind == "request":
            await self._through(self._post(data, head, self._deliver))
            return
        await self._site.perform(Notice(data, head, self._session.lines), bounded=False)
        if head.method == "notifications/initialized":
            await self._session.agreed(data, head, self._deliver)

    async def close(self) -> None:
        """End the session at the server (best effort, two seconds) and let go of everything. Idempotent."""
        if self._closed or not self._opened:
            return
        self._closed = True
        await self._tasks.end()
        await self._session.close()
        await self._site.close()

    # --- one request ---------------------------------------------------------------------------------------------

    def _post(self, data: bytes, head: Head, deliver: Deliver) -> Post:
        return Post(data, head, self._session, deliver, self._max_message)

    async def _attempt(self, data: bytes, head: Head, deliver: Deliver) -> None:
        """Send one message in the session as it is."""
        if head.kind == "request":
            await self._site.perform(self._post(data, head, deliver))
        else:
            await self._site.perform(Notice(data, head, self._session.lines))

    async def _through(self, post: Post, trouble: VsmError | None = None) -> None:
        """See a request through: in a new session where the old one is gone, on another stream where one was cut."""
        revived = False
        while True:
            try:
                await self._site.perform(post, trouble=trouble)
            except Cut as cut:
                return await self._resumed(post.head, cut)
            except SessionGone as gone:
                if revived:
                    raise
                await self._session.revive(gone.known, self._deliver)
            else:
                return None
            revived, trouble = True, None
            post = self._post(post.body, post.head, self._deliver)

    async def _rest(self, post: Post, trouble: VsmError, done: Done) -> None:
        try:
            await self._through(post, trouble)
        except VsmError as error:
            done(error)
        except asyncio.CancelledError:
            if self._closed:  # else it was cancelled
                done(TransportError("the connection was closed"))
            raise
        else:
            done(None)

    async def _resumed(self, head: Head, cut: Cut) -> None:
        """Fetch what a cut stream still owes, where the older eras allow that."""
        reader = cut.reader
        for _ in range(0 if head.modern else _RESUME_ATTEMPTS):
            if not reader.last_id:
                break
            await asyncio.sleep(min(1.0 if reader.retry is None else reader.retry, MAX_RETRY_SECONDS))
            try:
                return await self._session.stream(Events(reader, head.id, self._deliver))
            except HttpRefused:
                break
            except Cut:
                continue
        raise cut
