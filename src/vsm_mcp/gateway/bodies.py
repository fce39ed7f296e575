"""Request bodies, within limits: of one, of all together, and of the time one may take to arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from vsm_mcp.gateway.asgi import CLOSE, WHOLE, Receive, Scope
from vsm_mcp.gateway.refusals import Refusal, overloaded


class Bodies:
    """Reads bodies of at most ``limit`` bytes, at most ``total`` of them at a time, each within ``seconds``.

    ``requests`` is how many requests may be open at a time.
    """

    def __init__(self, limit: int, total: int, seconds: float, requests: int) -> None:
        self._requests = requests
        self._open = 0
        self._limit = limit
        self._total = max(total, limit)
        self._seconds = seconds
        self._held = 0

    def enter(self) -> None:
        """Let one request more in; :meth:`leave` lets it out. Raises :class:`Refusal` (503) when too many are open."""
        if self._open >= self._requests:
            raise overloaded("too many requests are open", CLOSE)
        self._open += 1

    def leave(self, size: int) -> None:
        """Let a request out, and its body of ``size`` bytes."""
        self._open -= 1
        self._held -= size

    def hold(self, size: int, most: int = 0) -> bool:
        """Let one request more in, whose body of ``size`` bytes is here already; :meth:`leave` lets it out.

        ``most`` is as for :meth:`read`. ``False``, and nothing done, where :meth:`enter` or :meth:`read` would refuse.
        """
        limit = min(most, self._limit) if most else self._limit
        if self._open >= self._requests or size > limit or self._held + size > self._total:
            return False
        self._open += 1
        self._held += size
        return True

    async def read(self, headers: Mapping[bytes, bytes], scope: Scope, receive: Receive, most: int = 0) -> bytes | None:
        """Return the body, or ``None`` when the client has gone; give it back with :meth:`leave`.

        A body that arrived together with its head is in ``scope`` (:data:`~vsm_mcp.gateway.asgi.WHOLE`). ``most`` is
        a limit for this one, in bytes; 0: the limit for all.

        Raises :class:`Refusal`: 415 for another type than JSON, 413 for one that is too long (before it is read),
        408 for one that does not arrive, 503 when too much is held already.
        """
        kind = headers.get(b"content-type", b"")
        if kind != b"application/json" and kind.split(b";")[0].strip().lower() != b"application/json":
            raise Refusal(415, "Content-Type has to be application/json", CLOSE)
        limit = min(most, self._limit) if most else self._limit
        length = headers.get(b"content-length")
        if length is not None and length.isdigit():
            self._check(int(length), limit)
        whole: bytes | None = scope.get(WHOLE)
        if whole is not None:
            self._check(len(whole), limit)
            self._held += len(whole)
            return whole
        deadline = asyncio.get_running_loop().call_later(self._seconds, _cancel, task := asyncio.current_task())
        try:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body: bytes = message.get("body", b"")
            if message.get("more_body", False):
                return await self._rest(body, receive, limit)
        except asyncio.CancelledError:
            if deadline.when() > asyncio.get_running_loop().time() or task is None or task.uncancel():
                raise
            raise Refusal(408, f"the body did not arrive within {self._seconds:g} s", CLOSE) from None
        finally:
            deadline.cancel()
        self._check(len(body), limit)
        self._held += len(body)
        return body

    async def _rest(self, first: bytes, receive: Receive, limit: int) -> bytes | None:
        parts, size = [first], len(first)
        self._held += size
        complete = False
        try:
            while not complete:
                self._check(size, limit, held=size)
                message = await receive()
                if message["type"] == "http.disconnect":
                    self._held -= size
                    return None
                part = message.get("body", b"")
                parts.append(part)
                size += len(part)
                self._held += len(part)
                complete = not message.get("more_body", False)
            self._check(size, limit, held=size)
        except BaseException:
            self._held -= size
            raise
        return b"".join(parts)

    def _check(self, size: int, limit: int, held: int = 0) -> None:
        if size > limit:
            raise Refusal(413, f"the body is larger than {limit} bytes", CLOSE)
        if self._held + size - held > self._total:
            raise overloaded("too much is being received", CLOSE)


def _cancel(task: asyncio.Task[object] | None) -> None:
    if task is not None:
        task.cancel()
