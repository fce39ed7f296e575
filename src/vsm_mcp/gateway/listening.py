"""Streams of news: ``subscriptions/listen`` of the modern era, the GET stream of the legacy one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Raw

from vsm_mcp.gateway import messages, results, sse
from vsm_mcp.gateway.asgi import Receive, Send, until_disconnected
from vsm_mcp.gateway.changes import KINDS, METHODS, Listener
from vsm_mcp.gateway.exchange import Exchange
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, decode_object, encode
from vsm_mcp.wire import era


class Subscription:
    """What one ``subscriptions/listen`` asked for, and the frames that answer it.

    Every frame carries the request's id in ``_meta`` (specification 2026-07-28, "Subscriptions"). Of the filter, the
    three list changes are honoured; single resources are not yet, and the acknowledgement says so by leaving them out.
    """

    def __init__(self, request: Request) -> None:
        wanted = _filter(request)
        self.kinds = frozenset(kind for kind in KINDS if wanted.get(f"{kind}ListChanged") == Raw(b"true"))
        self._ident = request.id
        self._meta = b'"_meta":{"%b":%b}' % (era.META_SUBSCRIPTION.encode(), request.id)

    def acknowledged(self) -> bytes:
        """Return the first frame: the subset that is honoured."""
        honoured = encode({f"{kind}ListChanged": True for kind in KINDS if kind in self.kinds})
        params = b'{"notifications":%b,%b}' % (honoured, self._meta)
        return messages.notification("notifications/subscriptions/acknowledged", params)

    def changed(self, kind: str) -> bytes:
        """Return the frame that says that one list changed."""
        return messages.notification(METHODS[kind], b"{%b}" % self._meta)

    def ended(self) -> bytes:
        """Return the last frame: the result of the request, when the stream ends in good order."""
        meta = {
            era.META_SUBSCRIPTION: Raw(self._ident),
            era.META_SERVER_INFO: Raw(results.SERVER_INFO),
        }
        return messages.result(self._ident, encode({"resultType": "complete", "_meta": meta}))


async def listen(exchange: Exchange, subscription: Subscription) -> None:
    """Serve one subscription over HTTP until the client leaves or the gateway ends."""
    changes, send = exchange.view.changes, exchange.send
    listener = changes.listen(subscription.kinds)
    silence = exchange.gateway.limits.keep_alive_seconds
    try:
        await sse.begin(send)
        await sse.write(send, sse.event(subscription.acknowledged()))
        if await stream(listener, subscription.changed, silence, exchange.receive, send):
            await sse.write(send, sse.event(subscription.ended()), last=True)
    finally:
        changes.leave(listener)


async def stream(
    listener: Listener, frame: Callable[[str], bytes], silence: float, receive: Receive, send: Send
) -> bool:
    """Send news as events until the listener is ended; ``False`` when the client left instead.

    After ``silence`` seconds without news a comment is sent, so that nobody on the way takes it for the end.
    """
    gone = asyncio.get_running_loop().create_task(until_disconnected(receive))
    gone.add_done_callback(lambda _task: listener.end())
    try:
        while (news := await listener.news(silence)) is not None:
            await sse.write(send, b"".join(sse.event(frame(kind)) for kind in news) or sse.PING)
        return not gone.done()
    finally:
        gone.cancel()


def plain_change(kind: str) -> bytes:
    """Return the notification of a legacy stream that one list changed."""
    return b'{"jsonrpc":"2.0","method":%b}' % encode(METHODS[kind])


def _filter(request: Request) -> dict[str, Raw]:
    try:
        return decode_object(request.params.get("notifications", Raw(b"")))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault(era.INVALID_PARAMS, "subscriptions/listen needs notifications, an object, in its params") from error
