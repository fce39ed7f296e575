"""One MCP conversation with one server, in either era."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from time import monotonic
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

import vsm_mcp
from vsm_mcp.errors import RequestTimeout, TransportError, VsmError
from vsm_mcp.model import trace_context
from vsm_mcp.model.definition import Offer
from vsm_mcp.wire import envelope, era, listing
from vsm_mcp.wire.call import Call
from vsm_mcp.wire.dialogue import Dialogue
from vsm_mcp.wire.inbox import Inbox, OnChange
from vsm_mcp.wire.mirror import Mirror
from vsm_mcp.wire.pending import Pending
from vsm_mcp.wire.tally import Tally
from vsm_mcp.wire.transport import Head, Holding, Transport, unsent
from vsm_mcp.wire.watching import Watch

Params = Mapping[str, object] | None

CLIENT_INFO: Final = {"name": "vsm-mcp", "version": vsm_mcp.__version__}
_META: Final[dict[str, object]] = {
    era.META_PROTOCOL: era.MODERN,
    era.META_CLIENT_INFO: CLIENT_INFO,
    era.META_CLIENT_CAPABILITIES: era.CLIENT_CAPABILITIES,
}
_MODERN_META: Final = Raw(msgspec.json.encode(_META))
_MODERN_META_OF_NOTHING: Final = Raw(msgspec.json.encode({**_META, era.META_CLIENT_CAPABILITIES: {}}))
_NOT_CANCELLABLE: Final = frozenset({"initialize", "server/discover"})
_OURS: Final = _NOT_CANCELLABLE | {
    "logging/setLevel",
    "ping",
    "prompts/list",
    "resources/list",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "subscriptions/listen",
    "tools/list",
}
"""What is asked for all clients at once, and keeps no single one waiting."""
_PUSH_SECONDS: Final = 10.0
_MAX_PUSHING: Final = 256
"""Messages that are no requests and wait for the server to take them, where each costs a task or a socket."""


class Connection:
    """A conversation that :func:`vsm_mcp.wire.negotiate.connect` has opened.

    ``era``, ``protocol``, ``capabilities``, ``server_info`` and ``instructions`` are what the server said at the
    beginning. ``closed`` resolves once, to the reason, when nothing will be answered any more. ``tally`` counts calls.
    ``patience`` (seconds) is for how long those who wait are not told of a transport's end: who sets it has to say why
    it ended, by :meth:`fail`. ``why_slow`` says what a call that is not answered in time may have waited for, as the
    end of a sentence, or "".
    One connection carries any number of calls at a time and is shared by all callers; all methods belong to the event
    loop it was made in.
    """

    def __init__(self, transport: Transport) -> None:
        self.era: Literal["modern", "legacy"] = "legacy"
        self.protocol = ""
        self.capabilities: dict[str, Any] = {}
        self.server_info: dict[str, Any] = {}
        self.instructions = ""
        self.tally = Tally()
        self.patience = 0.0
        self.why_slow: Callable[[], str] = str
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._transport = transport
        self._pending = Pending()
        self._mirror = Mirror()
        self._inbox = Inbox(self._pending, self)
        self._watch = Watch(self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._log_level = ""
        self._pushing = 0
        self._why = ""

    @property
    def in_flight(self) -> int:
        """How many calls wait for an answer now."""
        return len(self._pending)

    @property
    def calls(self) -> int:
        """How many calls wait for an answer that a client wants, and how many tasks are worked on for one.

        Lists and subscriptions are for all clients, and left out.
        """
        return self._pending.count(besides=_OURS)

    @property
    def on_change(self) -> OnChange | None:
        """Called with ``tools``, ``resources`` or ``prompts`` when the server says that its list changed.

        In the modern era, setting it opens the one subscription that such news needs, if the server offers them.
        """
        return self._inbox.on_change

    @on_change.setter
    def on_change(self, call: OnChange | None) -> None:
        self._inbox.on_change = call
        if call is not None:
            self._watch.lists()

    def on_news(
        self,
        updated: Callable[[str], None] | None,
        asking: Callable[[], None] | None,
        said: Callable[[str, Raw], None] | None = None,
    ) -> None:
        """Have ``updated`` called with the URI of a watched resource that changed.

        ``said`` is called with method and params of a log message, or of the news that a visit to a URL has come to its
        end, that a server of the handshake versions sends outside of any call.

        ``asking`` is called when the server asks a client over a shared pipe: while calls of several clients are in
        flight there, nothing tells whom, and nobody is asked.
        """
        self._inbox.on_updated = updated
        self._inbox.on_asking = asking
        self._inbox.on_said = said

    def on_fewer(self, call: Callable[[], None] | None) -> None:
        """Have ``call`` called whenever one call fewer waits for its answer."""
        self._pending.fewer = call

    async def open(self) -> None:
        """Open the transport; raises :class:`TransportError` when that fails."""
        await self._transport.open(self._inbox.deliver, self._lost)

    def begin(
        self,
        method: str,
        params: Params = None,
        *,
        timeout: float,
        limit: float = 0.0,
        dialogue: Dialogue | None = None,
    ) -> Call:
        """Ask, and return the call; await its answer, and give it up in the end.

        Values of ``params`` may be :class:`msgspec.Raw`. ``timeout`` (seconds) covers the whole call. A ``dialogue``
        hears what the server says and asks meanwhile; the request then carries a progress token of its own (the
        request's id, in place of any token of the caller), and progress puts the deadline off, until ``limit``
        seconds from now at most. Raises :class:`TransportError` when the connection is closed.
        """
        if self.closed.done():
            raise unsent(TransportError(self.closed.result()))
        ident = self._pending.next_id()
        data = envelope.request(ident, method, self._full(params, ident, dialogue))
        call = Call(self, ident, method, dialogue)
        if method not in _OURS:
            self.tally.calls += 1
            call.tally, call.since = self.tally, monotonic()
        self._pending.add(call, timeout, limit)
        if not self._transport.try_send(data):
            head = self._head(method, params, ident)
            call.sender = self._transport.begin(data, head, call.sent)
            if call.sender is None:
                call.sender = self.spawn(self._send_call(data, head, call))
        return call

    async def request(
        self, method: str, params: Params = None, *, timeout: float, dialogue: Dialogue | None = None
    ) -> Raw:
        """Ask and await the result, raw; see :meth:`begin`.

        Raises :class:`vsm_mcp.errors.RpcError` when the server answers with an error, :class:`RequestTimeout` when it
        does not answer in time and :class:`TransportError` when the connection breaks. A call that is given up, by
        its deadline or by its caller, is cancelled at the server (specification, "Cancellation") and its late answer
        is dropped.
        """
        call = self.begin(method, params, timeout=timeout, dialogue=dialogue)
        try:
            while (result := await call.answer()) is None:
                pass
            return result
        finally:
            call.give_up()

    def give_up(self, call: Call) -> None:
        """Forget a call; if it is not answered yet, cancel it at the server. Idempotent."""
        if call.task is not None:
            self._pending.unrelate(call)
        if self._pending.forget(call.ident):
            call.stop_sending()
            self._cancel(call.ident, call.method)

    def relate(self, call: Call, task: str) -> None:
        """Have what the server says about one of its tasks go to ``call``, until it is given up."""
        if not self.closed.done():
            self._pending.relate(call, task)

    def put_off(self, call: Call, seconds: float) -> None:
        """Let a call wait for ``seconds`` from now on, within its limit."""
        self._pending.put_off(call, seconds)

    def why_lost(self) -> str:
        """Return why nothing is answered any more."""
        return self._why or "the connection broke"

    def watch(self, uri: str) -> None:
        """Have a resource watched: :meth:`on_news` says who hears of it. Idempotent."""
        self._watch.begin(uri)

    def unwatch(self, uri: str) -> None:
        """Have a resource watched no longer. Idempotent."""
        self._watch.end(uri)

    def want_logs(self, level: str) -> None:
        """Have a server of the handshake versions send log messages from ``level`` on, unless it sends more already."""
        if "logging" not in self.capabilities or self.era != "legacy" or level not in era.LOG_LEVELS:
            return
        current = self._log_level
        if not current or era.LOG_LEVELS.index(level) < era.LOG_LEVELS.index(current):
            self._log_level = level
            self.spawn(self._set_level(level))

    def tell(self, method: str) -> None:
        """Send a notification without params soon, if the server is of the handshake versions and still there."""
        if self.era == "legacy" and not self.closed.done():
            self._push(envelope.notification(method), "notification", method)

    async def notify(self, method: str, params: Params = None) -> None:
        """Send a notification; raises :class:`TransportError` when the connection is closed.

        Modern HTTP knows no notifications from clients (specification 2026-07-28, "Transports: HTTP"): there it does
        nothing.
        """
        if self.closed.done():
            raise TransportError(self.closed.result())
        if not self.can_push:
            return
        data = envelope.notification(method, self._full(params, 0, None) if self.era == "modern" else params)
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
        self._why = self._why or reason
        self._inbox.close()
        for message in self._transport.held() if isinstance(self._transport, Holding) else ():
            self._pending.unsent(message, self._why)
        self._pending.fail_all()

    def _lost(self, reason: str) -> None:
        """Take note that the transport has ended: nobody begins a call any more, and those who wait are told soon."""
        if self.patience <= 0 or not len(self._pending) or self.closed.done():
            self.fail(reason)
            return
        self.closed.set_result(reason)
        asyncio.get_running_loop().call_later(self.patience, self.fail, reason)

    # --- sending -------------------------------------------------------------------------------------------------

    @property
    def can_push(self) -> bool:
        """Whether a message that is no request can be sent: not over HTTP in the modern era."""
        return self.era == "legacy" or not self._transport.closing_cancels

    def _full(self, params: Params, ident: int, dialogue: Dialogue | None) -> Params:
        """Return the params with the ``_meta`` that this hop needs."""
        told = dialogue is not None and dialogue.wants_progress
        if self.era == "legacy" and not told:
            return params
        plain = not told and not (params and "_meta" in params)
        if plain and (dialogue is None or not (dialogue.capabilities or dialogue.log_level)):
            return {**(params or {}), "_meta": _MODERN_META if dialogue is None else _MODERN_META_OF_NOTHING}
        meta = envelope.opened(params.get("_meta") if params else None)
        if self.era == "modern":
            meta.update(_META)
            if dialogue is not None:
                meta[era.META_CLIENT_CAPABILITIES] = dialogue.capabilities
                if dialogue.log_level:
                    meta[era.META_LOG_LEVEL] = dialogue.log_level
        if told:
            meta["progressToken"] = ident
        return {**(params or {}), "_meta": meta}

    def _head(self, method: str, params: Params, ident: int | None) -> Head:
        name = (params or {}).get(era.NAMED_BY.get(method, ""))
        if isinstance(name, Raw):
            name = envelope.text_of(name)
        name = name if isinstance(name, str) else None
        meta = (params or {}).get("_meta")
        return Head(
            kind="notification" if ident is None else "request",
            method=method,
            id=ident,
            name=name,
            version=self.protocol or None,
            modern=self.era == "modern",
            arguments=self._mirror.headers(name, (params or {}).get("arguments")) if method == "tools/call" else {},
            trace=trace_context.header_lines(meta) if isinstance(meta, dict) and "traceparent" in meta else b"",
        )

    async def _send_call(self, data: bytes, head: Head, call: Call) -> None:
        """Send where that takes a while: over HTTP until the answer is delivered, over a pipe that is full."""
        trouble: VsmError | None = None
        try:
            await self._transport.send(data, head)
        except VsmError as error:
            trouble = error
        finally:
            call.sent(trouble)

    async def _set_level(self, level: str) -> None:
        with contextlib.suppress(VsmError):  # then it sends what it sends
            await self.request("logging/setLevel", {"level": level}, timeout=_PUSH_SECONDS)

    def _cancel(self, ident: int, method: str) -> None:
        if self.closed.done() or not self.can_push or method in _NOT_CANCELLABLE:
            return
        params = {"requestId": ident, "reason": "given up by the caller"}
        self._push(envelope.notification("notifications/cancelled", params), "notification", "notifications/cancelled")

    def _push(self, data: bytes, kind: Literal["notification", "response"], method: str = "") -> None:
        if self._transport.try_send(data) or self._pushing >= _MAX_PUSHING:
            return  # a server that asks faster than it takes answers goes without some
        head = Head(kind=kind, method=method, version=self.protocol or None, modern=self.era == "modern")
        self._pushing += 1
        self.spawn(self._send_quietly(data, head)).add_done_callback(self._pushed)

    def _pushed(self, _task: asyncio.Task[None]) -> None:
        self._pushing -= 1

    async def _send_quietly(self, data: bytes, head: Head) -> None:
        try:
            async with asyncio.timeout(_PUSH_SECONDS):
                await self._transport.send(data, head)
        except (TransportError, TimeoutError):
            pass  # a courtesy to a server that is gone

    def respond(self, data: bytes) -> None:
        """Send a response to a request of the server soon."""
        self._push(data, "response")

    def changed(self, kind: str) -> None:
        """Tell whoever listens that a list may have changed."""
        self._inbox.changed(kind)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until it ends or the connection is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
