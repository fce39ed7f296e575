"""One MCP conversation with one server, in either era."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

import vsm_mcp
from vsm_mcp.errors import ProtocolError, RequestTimeout, TransportError
from vsm_mcp.model.definition import Offer
from vsm_mcp.wire import envelope, era, listing
from vsm_mcp.wire.envelope import Message
from vsm_mcp.wire.mirror import Mirror
from vsm_mcp.wire.pending import EXPIRED, LOST, OnNotification, Pending
from vsm_mcp.wire.transport import Head, Transport

Params = Mapping[str, object] | None
OnChange = Callable[[str], None]

CLIENT_INFO: Final = {"name": "vsm-mcp", "version": vsm_mcp.__version__}
_META: Final[dict[str, object]] = {
    era.META_PROTOCOL: era.MODERN,
    era.META_CLIENT_INFO: CLIENT_INFO,
    era.META_CLIENT_CAPABILITIES: {},
}
_MODERN_META: Final = Raw(msgspec.json.encode(_META))
_NOT_CANCELLABLE: Final = frozenset({"initialize", "server/discover"})
_CHANGES: Final = {
    "notifications/tools/list_changed": "tools",
    "notifications/resources/list_changed": "resources",
    "notifications/prompts/list_changed": "prompts",
}
_LISTEN_RETRY_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
_PUSH_SECONDS: Final = 10.0

_decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class _About(msgspec.Struct):
    progressToken: Raw = Raw(b"null")  # noqa: N815 - the protocol's spelling
    requestId: Raw = Raw(b"null")  # noqa: N815


_decode_about: Final = msgspec.json.Decoder(_About).decode


class Connection:
    """A conversation that :func:`vsm_mcp.wire.negotiate.connect` has opened.

    ``era``, ``protocol``, ``capabilities``, ``server_info`` and ``instructions`` are what the server said at the
    beginning. ``closed`` resolves once, to the reason, when nothing will be answered any more. One connection carries
    any number of calls at a time and is shared by all callers; all methods belong to the event loop it was made in.
    """

    def __init__(self, transport: Transport) -> None:
        self.era: Literal["modern", "legacy"] = "legacy"
        self.protocol = ""
        self.capabilities: dict[str, Any] = {}
        self.server_info: dict[str, Any] = {}
        self.instructions = ""
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._transport = transport
        self._pending = Pending()
        self._mirror = Mirror()
        self._on_change: OnChange | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """How many calls wait for an answer now."""
        return len(self._pending)

    @property
    def on_change(self) -> OnChange | None:
        """Called with ``tools``, ``resources`` or ``prompts`` when the server says that its list changed.

        In the modern era, setting it opens the one subscription that such news needs, if the server offers them.
        """
        return self._on_change

    @on_change.setter
    def on_change(self, call: OnChange | None) -> None:
        self._on_change = call
        if call is not None and self._listening is None and self.era == "modern" and not self.closed.done():
            wanted = listing.change_filter(self.capabilities)
            if wanted:
                self._listening = self._spawn(self._listen(wanted))

    async def open(self) -> None:
        """Open the transport; raises :class:`TransportError` when that fails."""
        await self._transport.open(self._deliver, self.fail)

    async def request(
        self,
        method: str,
        params: Params = None,
        *,
        timeout: float,
        on_notification: OnNotification | None = None,
    ) -> Raw:
        """Ask and await the result, raw.

        Values of ``params`` may be :class:`msgspec.Raw`. ``timeout`` is in seconds and covers the whole call. With
        ``on_notification`` the request carries a progress token of its own (the request's id, in place of any token
        of the caller), and each progress notification of this call goes there as (method, raw params).

        Raises :class:`vsm_mcp.errors.RpcError` when the server answers with an error, :class:`RequestTimeout` when it
        does not answer in time and :class:`TransportError` when the connection breaks. A call that is given up, by
        its deadline or by its caller, is cancelled at the server (specification, "Cancellation") and its late answer
        is dropped.
        """
        if self.closed.done():
            raise TransportError(self.closed.result())
        pending = self._pending
        ident = pending.next_id()
        data = envelope.request(ident, method, self._full(params, ident if on_notification is not None else None))
        answer = pending.add(ident, timeout, on_notification)
        try:
            if self._transport.try_send(data):
                message = await answer
            else:
                message = await self._send_and_wait(data, self._head(method, params, ident), answer, timeout)
        finally:
            if pending.forget(ident):
                self._cancel(ident, method)
        if message.result is not None:
            return message.result
        if message is EXPIRED:
            raise RequestTimeout(f"the server did not answer {method} within {timeout:g} s")
        if message is LOST:
            raise TransportError(self.closed.result() if self.closed.done() else "the connection broke")
        raise envelope.read_error(message.error or Raw(b"{}"))

    async def notify(self, method: str, params: Params = None) -> None:
        """Send a notification; raises :class:`TransportError` when the connection is closed.

        Modern HTTP knows no notifications from clients (specification 2026-07-28, "Transports: HTTP"): there it does
        nothing.
        """
        if self.closed.done():
            raise TransportError(self.closed.result())
        if not self._can_push:
            return
        data = envelope.notification(method, self._full(params, None) if self.era == "modern" else params)
        if not self._transport.try_send(data):
            try:
                async with asyncio.timeout(_PUSH_SECONDS):
                    await self._transport.send(data, self._head(method, params, None))
            except TimeoutError:
                raise RequestTimeout(f"the server did not take {method} within {_PUSH_SECONDS:g} s") from None

    async def list(self, method: str, key: str, *, timeout: float = 60.0) -> list[Raw]:
        """Return every item of a list, following its cursors; ``timeout`` (seconds) covers all pages.

        At most 1000 pages and 20,000 items. Raises :class:`ProtocolError` beyond that, for a repeating cursor and for
        a result without the list, and what :meth:`request` raises.
        """
        items = await listing.all_pages(self, method, key, timeout)
        if method == "tools/list" and self.era == "modern" and self._transport.closing_cancels:
            return self._mirror.learn(items)
        return items

    async def offer(self, timeout: float) -> Offer:
        """Return everything the server offers, as its capabilities declare it; ``timeout`` (seconds) covers it all.

        A declared list that answers -32601 is empty, and so is one of resources or prompts that a server with tools
        refuses. Raises what :meth:`list` raises.
        """
        return await listing.offer(self, timeout)

    async def close(self) -> None:
        """End the conversation; waiting calls fail with :class:`TransportError`. Idempotent."""
        self.fail("the connection was closed")
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._transport.close()

    def fail(self, reason: str) -> None:
        """Take note that nothing will arrive any more: fail every waiting call at once. Idempotent.

        For whoever knows before the transport does: a dead server's grandchild may hold its pipes open.
        """
        if not self.closed.done():
            self.closed.set_result(reason)
        self._pending.fail_all()

    # --- sending -------------------------------------------------------------------------------------------------

    @property
    def _can_push(self) -> bool:
        return self.era == "legacy" or not self._transport.closing_cancels

    def _full(self, params: Params, token: int | None) -> Params:
        if self.era == "legacy" and token is None:
            return params
        given = params.get("_meta") if params else None
        if given is None and token is None:
            return {**params, "_meta": _MODERN_META} if params else {"_meta": _MODERN_META}
        meta = _opened(given)
        if self.era == "modern":
            meta.update(_META)
        if token is not None:
            meta["progressToken"] = token
        return {**(params or {}), "_meta": meta}

    def _head(self, method: str, params: Params, ident: int | None) -> Head:
        name = (params or {}).get(era.NAMED_BY.get(method, ""))
        if isinstance(name, Raw):
            name = _text_or_none(name)
        name = name if isinstance(name, str) else None
        return Head(
            kind="notification" if ident is None else "request",
            method=method,
            id=ident,
            name=name,
            version=self.protocol or None,
            modern=self.era == "modern",
            arguments=self._mirror.headers(name, (params or {}).get("arguments")) if method == "tools/call" else {},
        )

    async def _send_and_wait(
        self,
        data: bytes,
        head: Head,
        answer: asyncio.Future[Message],
        timeout: float,
    ) -> Message:
        try:
            async with asyncio.timeout(None if timeout == float("inf") else timeout):
                await self._transport.send(data, head)
                return await answer
        except TimeoutError:
            return EXPIRED
        except (TransportError, ProtocolError):
            if answer.done():  # it came another way, on the stream that the server opened for itself
                return answer.result()
            raise

    def _cancel(self, ident: int, method: str) -> None:
        if self.closed.done() or not self._can_push or method in _NOT_CANCELLABLE:
            return
        params = {"requestId": ident, "reason": "given up by the caller"}
        self._push(envelope.notification("notifications/cancelled", params), "notification", "notifications/cancelled")

    def _push(self, data: bytes, kind: Literal["notification", "response"], method: str = "") -> None:
        if not self._transport.try_send(data):
            head = Head(kind=kind, method=method, version=self.protocol or None, modern=self.era == "modern")
            self._spawn(self._send_quietly(data, head))

    async def _send_quietly(self, data: bytes, head: Head) -> None:
        try:
            async with asyncio.timeout(_PUSH_SECONDS):
                await self._transport.send(data, head)
        except (TransportError, TimeoutError):
            pass  # a courtesy to a server that is gone

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- receiving -----------------------------------------------------------------------------------------------

    def _deliver(self, line: bytes) -> bool:
        try:
            message = envelope.read(line)
        except ProtocolError:
            if not line.lstrip().startswith(b"["):
                raise
            parts = [envelope.read(part) for part in envelope.read_batch(line)]
            return sum(map(self._dispatch, parts)) > 0
        return self._dispatch(message)

    def _dispatch(self, message: Message) -> bool:
        method = message.method
        if method is None:
            return message.id is not None and self._pending.answered(message.id, message)
        if message.id is not None:
            self._refuse(message.id, method)
        elif method in _CHANGES:
            self._changed(_CHANGES[method])
        elif message.params is not None:
            self._notified(method, message.params)
        return False

    def _refuse(self, ident: Raw, method: str) -> None:
        """Answer a request of the server: no client capability is declared, so only ``ping`` is allowed."""
        if not self._can_push:
            return
        known = method == "ping"
        answer = (
            envelope.response(ident, {}) if known else envelope.error(ident, era.METHOD_NOT_FOUND, "Method not found")
        )
        self._push(answer, "response")

    def _notified(self, method: str, params: Raw) -> None:
        if method not in {"notifications/progress", "notifications/cancelled"}:
            return
        try:
            about = _decode_about(params)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if method == "notifications/cancelled":  # only a subscription is a server's to cancel ("Cancellation")
            self._pending.release(about.requestId)
        elif listener := self._pending.listener(about.progressToken):
            self._tell(listener, method, params)

    def _changed(self, kind: str) -> None:
        if self._on_change is not None:
            self._tell(self._on_change, kind)

    @staticmethod
    def _tell(listener: Callable[..., None], *news: object) -> None:
        try:
            listener(*news)
        except Exception as error:  # noqa: BLE001 - a listener's mistake must not break everybody's connection
            context = {"message": "a listener of a connection failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _listen(self, wanted: dict[str, bool]) -> None:
        """Keep one subscription open; when it ends, whatever may have been missed counts as changed."""
        attempt = 0
        while not self.closed.done():
            began = asyncio.get_running_loop().time()
            try:
                await self.request("subscriptions/listen", {"notifications": wanted}, timeout=float("inf"))
            except ProtocolError:
                return  # the server declared what it does not have
            except TransportError:
                pass
            if self.closed.done():
                return
            attempt = 0 if asyncio.get_running_loop().time() - began > _LISTEN_RETRY_SECONDS[-1] else attempt
            await asyncio.sleep(_LISTEN_RETRY_SECONDS[min(attempt, len(_LISTEN_RETRY_SECONDS) - 1)])
            attempt += 1
            for kind in ("tools", "resources", "prompts"):
                if wanted.get(f"{kind}ListChanged"):
                    self._changed(kind)


def _text_or_none(value: Raw) -> str | None:
    try:
        return _decode_text(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _opened(meta: object) -> dict[str, object]:
    """Return a caller's ``_meta`` as a dictionary of our own; what is no object counts as absent."""
    if isinstance(meta, (Raw, bytes)):
        try:
            return dict(_decode_object(meta))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
    return dict(meta) if isinstance(meta, Mapping) else {}
