"""The control API: ``POST /v1/<operation>`` with a JSON object, answered by a stream of JSON lines.

Each line is ``{"event": …}`` while the operation runs, and at last ``{"result": …}`` or ``{"error": …}``. The API is
served beside ``/mcp`` on a socket in ``$VSM_MCP_HOME/run`` with mode 0600: whoever can open it owns the home, so it
asks for no key. It is not on the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.errors import BadArgument, VsmError
from vsm_mcp.events import Emit, Event

Operate = Callable[[str, bytes, Emit], Awaitable[Any]]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application(Protocol):
    """Whoever answers beside the operations: :class:`vsm_mcp.web.pages.Pages`."""

    def upgrades(self, path: str) -> bool:
        """Whether a path speaks WebSocket to those who offer it."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        ...


_log = logging.getLogger(__name__)
_MAX_BODY: Final = 16 * 1024 * 1024
_PREFIX: Final = "/v1/"


def error_document(error: VsmError) -> dict[str, Any]:
    """Return the JSON form of an error: ``{"code", "message", "hint", "retryable"}``, its server and inputs if any."""
    document: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "retryable": error.retryable,
    }
    if ref := getattr(error, "ref", ""):
        document["ref"] = ref
    if values := getattr(error, "values", ()):
        document["inputs"] = [value._asdict() for value in values]
    return document


class ControlApi:
    """An ASGI application over one ``operate(name, params, emit)`` callable; ``pages`` answers what is only read."""

    def __init__(self, operate: Operate, pages: Application | None = None) -> None:
        self._operate = operate
        self._pages = pages

    def upgrades(self, path: str) -> bool:
        """Whether a path speaks WebSocket to those who offer it."""
        return self._pages is not None and self._pages.upgrades(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if scope["method"] == "POST" and path.startswith(_PREFIX):
            await self._run(path.removeprefix(_PREFIX), receive, send)
        elif self._pages is not None:
            await self._pages(scope, receive, send)
        else:
            await plain(send, 404, b"not found\n")

    async def _run(self, operation: str, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            await plain(send, 413, b"request too large\n")
            return
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        lines: asyncio.Queue[Event] = asyncio.Queue()
        async with until_gone(receive) as gone:
            task = asyncio.ensure_future(self._operate(operation, body, lines.put_nowait))
            try:
                await _stream(task, lines, gone, send)
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({task})


async def _stream(task: asyncio.Future[Any], lines: asyncio.Queue[Event], gone: asyncio.Event, send: Send) -> None:
    """Send events as they come, then the end of the task; stop when the client has gone."""
    gone_task = asyncio.ensure_future(gone.wait())
    try:
        while True:
            next_line = asyncio.ensure_future(lines.get())
            done, _ = await asyncio.wait({task, next_line, gone_task}, return_when=asyncio.FIRST_COMPLETED)
            if next_line in done:
                await _line(send, {"event": next_line.result().to_dict()})
                continue
            next_line.cancel()
            if task in done:
                while not lines.empty():
                    await _line(send, {"event": lines.get_nowait().to_dict()})
                await _line(send, _ending(task))
                await send({"type": "http.response.body", "body": b""})
            return
    finally:
        gone_task.cancel()


def _ending(task: asyncio.Future[Any]) -> dict[str, Any]:
    error = task.exception()
    if error is None:
        return {"result": task.result()}
    if isinstance(error, VsmError):
        return {"error": error_document(error)}
    return {
        "error": {"code": "internal", "message": f"{type(error).__name__}", "hint": "see the log", "retryable": False}
    }


class until_gone:  # noqa: N801 - reads as a statement: async with until_gone(receive)
    """An event that is set when the client closes its connection; ``then`` is called as well."""

    def __init__(self, receive: Receive, then: Callable[[], None] = lambda: None) -> None:
        self._receive = receive
        self._then = then
        self._event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> asyncio.Event:
        self._task = asyncio.ensure_future(self._watch())
        return self._event

    async def __aexit__(self, *_exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._event.set()
        self._then()


async def _read(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadArgument("the client went away")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MAX_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def _line(send: Send, document: dict[str, Any]) -> None:
    await send({"type": "http.response.body", "body": msgspec.json.encode(document) + b"\n", "more_body": True})


async def plain(send: Send, status: int, text: bytes, *fields: tuple[bytes, bytes]) -> None:
    """Send a whole answer as text."""
    head = [(b"content-type", b"text/plain"), *fields]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": text})
