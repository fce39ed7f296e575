"""MCP over streamable HTTP, in both eras.

Sources: specification 2026-07-28, "Transports: Streamable HTTP" (stateless: headers repeat the version, the method
and the name; closing an answer cancels it) and 2025-11-25, "Transports: Streamable HTTP" (sessions, the GET stream,
resumed streams). An answer is one JSON document or a stream of events; both are handled for every request.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import aiohttp
from yarl import URL

from vsm_mcp.errors import HttpRefused, ProtocolError, TransportError
from vsm_mcp.wire import envelope, header
from vsm_mcp.wire.sse import SseReader
from vsm_mcp.wire.transport import Deliver, Head, Lost

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=10)
_ACCEPT: Final = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
_DRAIN_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 2.0
_HEAR_SECONDS: Final = 1.0
_RESUME_ATTEMPTS: Final = 5
_MAX_RETRY_SECONDS: Final = 60.0
_REFUSAL_BYTES: Final = 64 * 1024
_READ_AHEAD: Final = 256 * 1024
_BROKEN: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
_ANSWERS_ONCE: Final = "tools/call"
"""The one method whose repetition may do something twice."""


class _SessionGone(HttpRefused):
    """The server no longer knows the session."""


class HttpTransport:
    """One MCP endpoint. ``url`` and ``headers`` may hold secrets: neither is ever part of a message or an error.

    Without a ``session`` it makes one of its own and closes it. An answer may be ``max_message`` bytes long.
    """

    closing_cancels = True

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        session: aiohttp.ClientSession | None = None,
        max_message: int = 32 * 1024 * 1024,
    ) -> None:
        self._given_url = url
        self._headers = {**_ACCEPT, **(headers or {})}
        self._given_session = session
        self._max_message = max_message
        self._session_id = ""
        self._version = ""
        self._hello: list[tuple[bytes, Head]] = []
        self._reviving: asyncio.Task[None] | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = self._closed = False

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Prepare; no byte is sent before the first message. Raises :class:`TransportError` for an unusable URL."""
        try:
            self._url = URL(self._given_url)
        except ValueError:
            raise TransportError("the server's URL cannot be read") from None
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise TransportError("the server's URL is not an http(s) URL")
        self._deliver, self._lost = deliver, lost
        self._session = self._given_session or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._opened = True

    def try_send(self, data: bytes) -> bool:
        """Do nothing: a message over HTTP always waits for its answer."""
        return False

    async def send(self, data: bytes, head: Head) -> None:
        """POST a message and deliver what comes back, until it is answered.

        Raises :class:`HttpRefused` for a status that will not change, :class:`TransportError` (which may be tried
        again) for a broken connection, 408, 429 and 5xx, and :class:`ProtocolError` for an answer that is no message.
        """
        if head.method == "initialize":
            self._session_id, self._version, self._hello = "", "", [(data, head)]
        elif not head.modern:
            self._version = head.version or ""
        if self._reviving is not None and not self._reviving.done():
            await asyncio.shield(self._reviving)
        known = self._session_id
        try:
            await self._post(data, head)
        except _SessionGone:
            # "When a client receives HTTP 404 in response to a request containing an MCP-Session-Id, it MUST start a
            # new session by sending a new InitializeRequest" (2025-11-25, "Session Management").
            await self._revive(known)
            await self._post(data, head)
        if head.method == "notifications/initialized":
            self._hello.append((data, head))
            await self._hear()

    async def close(self) -> None:
        """End the session at the server (best effort, two seconds) and let go of everything. Idempotent."""
        if self._closed or not self._opened:
            return
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session_id:
            with contextlib.suppress(*_BROKEN):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    (await self._session.delete(self._url, headers=self._session_headers(), timeout=_TIMEOUT)).close()
        if self._given_session is None:
            await self._session.close()

    # --- one POST ------------------------------------------------------------------------------------------------

    async def _post(self, data: bytes, head: Head, deliver: Deliver | None = None) -> None:
        used, headers = self._session_id, {**self._session_headers(), **header.of_message(head)}
        response = await self._exchange(data, headers, repeatable=head.method != _ANSWERS_ONCE)
        try:
            if head.kind != "request":
                return
            if head.method == "initialize":
                self._session_id = response.headers.get("Mcp-Session-Id", "")
            if response.status >= 400:
                await self._refused(response, head, used)
            elif not await self._answered(response, head, deliver or self._deliver):
                raise ProtocolError(f"the server's answer to {head.method} holds no response to it")
        except _BROKEN as error:
            raise self._broken(error) from error
        finally:
            self._let_go(response)

    async def _exchange(self, data: bytes, headers: dict[str, str], *, repeatable: bool) -> aiohttp.ClientResponse:
        """POST and return the answer's head; a redirect within the origin that keeps the method is followed once."""
        for attempt in (1, 2, 3):
            try:
                response = await self._session.post(
                    self._url,
                    data=data if len(data) < _READ_AHEAD else io.BytesIO(data),  # which is written piece by piece
                    headers=headers,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    read_bufsize=_READ_AHEAD,
                )
            except aiohttp.ServerDisconnectedError as error:
                if attempt == 1 and repeatable:  # an idle connection that the server closed as we took it up again
                    continue
                raise self._broken(error) from error
            except _BROKEN as error:
                raise self._broken(error) from error
            if not 300 <= response.status < 400:
                return response
            response.close()
            self._url = self._redirected(response)
        raise TransportError("the server redirects without end")

    async def _answered(self, response: aiohttp.ClientResponse, head: Head, deliver: Deliver) -> bool:
        """Deliver a successful answer; returns whether it held the response."""
        if response.status in {202, 204}:
            raise ProtocolError(f"the server accepted {head.method} without answering it")
        kind = response.content_type
        if kind == "text/event-stream":
            return await self._stream(response, head, deliver)
        if kind != "application/json":
            raise ProtocolError(f"the server answered {head.method} with {kind or 'no content type'}, which is not MCP")
        return deliver(await self._body(response, self._max_message))

    async def _stream(self, response: aiohttp.ClientResponse, head: Head, deliver: Deliver) -> bool:
        """Deliver a stream of events until the response; resume it where the older eras allow that."""
        reader = SseReader(self._max_message)
        if await self._events(response, reader, deliver):
            return True
        for _ in range(0 if head.modern else _RESUME_ATTEMPTS):
            if not reader.last_id:
                break
            await asyncio.sleep(min(1.0 if reader.retry is None else reader.retry, _MAX_RETRY_SECONDS))
            resumed = await self._get(reader.last_id)
            if resumed is None:
                break
            try:
                if await self._events(resumed, reader, deliver):
                    return True
            finally:
                self._let_go(resumed)
        raise TransportError(f"the server ended its answer to {head.method} before the response")

    async def _events(self, response: aiohttp.ClientResponse, reader: SseReader, deliver: Deliver) -> bool:
        try:
            async for chunk in response.content.iter_any():
                for data in reader.feed(chunk):
                    with contextlib.suppress(ProtocolError):  # one bad event does not end a stream
                        if deliver(data):
                            return True
        except aiohttp.ClientPayloadError:
            pass  # the stream was cut off; it may be resumed
        return False

    async def _body(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        parts, size = [], 0
        async for chunk in response.content.iter_any():
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise ProtocolError(f"the server sent an answer of more than {limit} bytes")
        return b"".join(parts)

    async def _refused(self, response: aiohttp.ClientResponse, head: Head, session: str) -> None:
        """Deliver the JSON-RPC error in a refusal, or raise what its status means."""
        spoken = response.status not in header.STATUS_DECIDES and response.content_type == "application/json"
        if spoken and head.id is not None:
            with contextlib.suppress(ProtocolError):
                message = envelope.read(await self._body(response, _REFUSAL_BYTES))
                # The server may not have got as far as our id; the answer to this POST is ours whatever it says.
                if message.error is not None:
                    self._check_session(response.status, session, bytes(message.error))
                    self._deliver(envelope.error_of(head.id, message.error))
                    return
        self._check_session(response.status, session, b"")
        raise header.refusal(response.status, response.headers.get("Retry-After", ""), self._place())

    def _check_session(self, status: int, session: str, said: bytes) -> None:
        """Raise :class:`_SessionGone` for 404, and for the 400 that a widespread example taught servers to send."""
        if session and (status == 404 or (status == 400 and b"session" in said.lower())):
            raise _SessionGone(status, f"{self._place()} no longer knows the session")

    def _let_go(self, response: aiohttp.ClientResponse) -> None:
        """Give the socket back for reuse; a stream's last bytes may still be on their way."""
        if response.closed or response.content.at_eof():
            response.release()
        elif response.content_type == "text/event-stream" and not self._closed and response.status == 200:
            # Cancelled before it began, it would never let go: hence the callback.
            self._spawn(_drain(response)).add_done_callback(lambda _: response.close())
        else:
            response.close()

    # --- sessions of the older eras ------------------------------------------------------------------------------

    def _session_headers(self) -> dict[str, str]:
        headers = dict(self._headers)
        if self._session_id:
            headers["Mcp-Session-Id"] = self._session_id
        if self._version:
            headers["MCP-Protocol-Version"] = self._version
        return headers

    async def _revive(self, known: str) -> None:
        """Begin a new session in place of ``known``, once for all calls that found it gone."""
        if self._reviving is None or self._reviving.done():
            if self._session_id != known:
                return
            self._reviving = self._spawn(self._begin_again())
        await asyncio.shield(self._reviving)

    async def _begin_again(self) -> None:
        self._session_id = self._version = ""
        try:
            for data, head in self._hello:
                await self._post(data, head, deliver=_accept_result)
        except (TransportError, ProtocolError) as error:
            self._lost("the server forgot the session and did not begin a new one")
            raise TransportError("the server forgot the session and did not begin a new one") from error
        await self._hear()

    async def _hear(self) -> None:
        """Listen to what the server says unasked; most servers offer no such stream.

        Returns when the server has answered, or soon: what it asks on that stream in the middle of the first call would
        be lost before.
        """
        if self._hearing is not None:
            self._hearing.cancel()
        answered = asyncio.Event()
        self._hearing = self._spawn(self._hear_on(answered))
        self._hearing.add_done_callback(lambda _: answered.set())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HEAR_SECONDS):
                await answered.wait()

    async def _hear_on(self, answered: asyncio.Event) -> None:
        reader, delay, clock = SseReader(self._max_message), 1.0, asyncio.get_running_loop().time
        while not self._closed:
            began = clock()
            try:
                response = await self._get(reader.last_id)
                if response is None:
                    return
                answered.set()
                try:
                    await self._events(response, reader, self._overhear)
                finally:
                    response.close()
            except (*_BROKEN, TransportError, ProtocolError):
                answered.set()  # with a failure; the next attempt may find it mended
            delay = 1.0 if clock() - began > _MAX_RETRY_SECONDS else min(delay * 2, _MAX_RETRY_SECONDS)
            await asyncio.sleep(max(delay, min(reader.retry or 0.0, _MAX_RETRY_SECONDS)))

    def _overhear(self, data: bytes) -> bool:
        """Deliver what comes on the server's own stream, which no answer ends."""
        self._deliver(data)
        return False

    async def _get(self, last_id: str) -> aiohttp.ClientResponse | None:
        """Open a stream by GET (from ``last_id`` on, when given); ``None`` when the server offers none."""
        headers = {**self._session_headers(), "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        response = await self._session.get(self._url, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
        if response.status == 200 and response.content_type == "text/event-stream":
            return response
        response.close()
        if response.status >= 500:
            raise TransportError(f"{self._place()} answered {response.status}")
        return None

    # --- the rest ------------------------------------------------------------------------------------------------

    def _place(self) -> str:
        return str(self._url.origin())

    def _broken(self, error: BaseException) -> TransportError:
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        number = getattr(cause, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(cause, "strerror", None) or type(error).__name__
        return TransportError(
            f"{self._place()} cannot be reached: {reason}", "is it running there, and the address right?"
        )

    def _redirected(self, response: aiohttp.ClientResponse) -> URL:
        """Return where a redirect leads, if it stays on this origin and keeps the method; headers hold secrets."""
        try:
            target = self._url.join(URL(response.headers.get("Location", "")))
            origin = target.origin()
        except ValueError:
            raise HttpRefused(response.status, f"{self._place()} redirects to nowhere") from None
        secured = target.host == self._url.host and (self._url.scheme, target.scheme) == ("http", "https")
        allowed = origin == self._url.origin() or (secured and target.is_default_port())
        if response.status not in {307, 308} or not allowed:
            raise HttpRefused(response.status, f"{self._place()} redirects to {origin}", "use the URL it redirects to")
        return target

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it has it; nobody else needs to hear of it


def _accept_result(data: bytes) -> bool:
    return envelope.read(data).result is not None


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read the end of a stream whose response has arrived, so that its socket can be used again."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in response.content.iter_any():
                pass
    except _BROKEN:
        pass
    finally:
        response.release() if response.content.at_eof() else response.close()
