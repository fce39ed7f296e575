"""Streams of news: ``subscriptions/listen`` of the modern era, the GET stream of the legacy one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.gateway import messages, results, sse
from vsm_mcp.gateway.asgi import Receive, Send, until_disconnected
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.changes import KINDS, METHODS, SAID, Listener, News
from vsm_mcp.gateway.exchange import Exchange
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, decode_object, encode
from vsm_mcp.gateway.tasks.following import Following
from vsm_mcp.gateway.tasks.passing import check_declared
from vsm_mcp.gateway.updates import MAX_EACH, Updates
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

_decode_strings: Final = msgspec.json.Decoder(list[str]).decode


class Subscription:
    """What one ``subscriptions/listen`` asked for, and the frames that answer it.

    Every frame carries the request's id in ``_meta`` (specification 2026-07-28, "Subscriptions"). The acknowledgement
    leaves out what is not honoured: resources that no server here would announce changes of, and tasks that the client
    does not hold. Raises :class:`Fault` (-32021) for tasks where the client knows none (SEP-2663, "Error Handling").
    """

    def __init__(self, request: Request) -> None:
        wanted = _filter(request)
        self.kinds = frozenset(kind for kind in KINDS if wanted.get(f"{kind}ListChanged") == Raw(b"true"))
        self.uris = _strings(wanted, "resourceSubscriptions")
        self.tasks = _strings(wanted, "taskIds")
        if self.tasks:
            check_declared(request)
        self._ident = request.id
        self._meta = b'"_meta":{"%b":%b}' % (era.META_SUBSCRIPTION.encode(), request.id)

    def begin(self, caller: Caller, updates: Updates, following: Following) -> tuple[Listener, bytes]:
        """Listen; return the listener and the first frame: the subset that is honoured."""
        view = caller.view
        listener = view.changes.listen(self.kinds)
        honoured: dict[str, object] = {f"{kind}ListChanged": True for kind in KINDS if kind in self.kinds}
        uris = [uri for uri in self.uris if updates.listen(listener, view, uri)]
        if uris:
            honoured["resourceSubscriptions"] = uris
        tasks = following.begin(listener, caller, self.tasks)
        if tasks:
            honoured["taskIds"] = tasks
        params = b'{"notifications":%b,%b}' % (encode(honoured), self._meta)
        return listener, messages.notification("notifications/subscriptions/acknowledged", params)

    def frame(self, news: News) -> bytes:
        """Return the frame that says what changed."""
        about = b""
        if news.params:
            about = b"%b," % news.params[1:-1]
        elif news.uri:
            about = b'"uri":%b,' % encode(news.uri)
        return messages.notification(METHODS[news.kind], b"{%b%b}" % (about, self._meta))

    def ended(self) -> bytes:
        """Return the last frame: the result of the request, when the stream ends in good order."""
        meta = {
            era.META_SUBSCRIPTION: Raw(self._ident),
            era.META_SERVER_INFO: Raw(results.SERVER_INFO),
        }
        return messages.result(self._ident, encode({"resultType": "complete", "_meta": meta}))


async def listen(exchange: Exchange, subscription: Subscription, caller: Caller) -> None:
    """Serve one subscription over HTTP until the client leaves or the gateway ends."""
    gateway, send = exchange.gateway, exchange.send
    listener, acknowledged = subscription.begin(caller, gateway.updates, gateway.following)
    try:
        await sse.begin(send)
        await sse.write(send, sse.event(acknowledged))
        if await stream(listener, subscription.frame, gateway.limits.keep_alive_seconds, exchange.receive, send):
            await sse.write(send, sse.event(subscription.ended()), last=True)
    finally:
        gateway.unhear(exchange.view, listener)


async def stream(
    listener: Listener, frame: Callable[[News], bytes], silence: float, receive: Receive, send: Send
) -> bool:
    """Send news as events until the listener is ended; ``False`` when the client left instead.

    After ``silence`` seconds without news a comment is sent, so that nobody on the way takes it for the end.
    """
    gone = asyncio.get_running_loop().create_task(until_disconnected(receive))
    gone.add_done_callback(lambda _task: listener.end())
    try:
        while (news := await listener.news(silence)) is not None:
            await sse.write(send, b"".join(sse.event(frame(item)) for item in news) or sse.PING)
        return not gone.done()
    finally:
        gone.cancel()


def plain_frame(news: News) -> bytes:
    """Return the notification of a handshake client that something changed."""
    if news.kind == SAID:
        return news.params
    if news.uri:
        return messages.notification(METHODS[news.kind], encode({"uri": news.uri}))
    return b'{"jsonrpc":"2.0","method":%b}' % encode(METHODS[news.kind])


def _filter(request: Request) -> dict[str, Raw]:
    try:
        return decode_object(request.params.get("notifications", Raw(b"")))
    except UNREADABLE as error:
        raise Fault(era.INVALID_PARAMS, "subscriptions/listen needs notifications, an object, in its params") from error


def _strings(wanted: dict[str, Raw], member: str) -> tuple[str, ...]:
    if member not in wanted:
        return ()
    try:
        return tuple(dict.fromkeys(_decode_strings(wanted[member])))[:MAX_EACH]
    except UNREADABLE as error:
        raise Fault(era.INVALID_PARAMS, f"{member} is a list of strings") from error
