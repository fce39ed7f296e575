"""The scripted server of :mod:`vsm_mcp.testing.faulty` over streamable HTTP, in both eras, with faults of its own.

``python -m vsm_mcp.testing.faulty_http …`` prints its URL on stdout; :func:`serving` runs it inside a test. Each
request decides its own era by its headers; ``--mode`` narrows that. Options it does not know itself are the stdio
server's (``--tools``, ``--pages``, ``--change-after``, ``--slow-on``, …).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import ssl
import sys
import threading
import uuid
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

from aiohttp import web

from vsm_mcp.testing import faulty

_SINK: ContextVar[list[dict[str, Any]]] = ContextVar("sink")
_STANDING = "notifications/tools/list_changed"


def options(argv: list[str]) -> argparse.Namespace:
    """Read the command line; what is not of HTTP goes to :func:`vsm_mcp.testing.faulty.options`."""
    parser = argparse.ArgumentParser(prog="faulty_http", description="the faulty server over HTTP", add_help=False)
    add = parser.add_argument
    add("--port", type=int, default=0)
    add("--sse", action="store_true", help="answer by a stream of events, not by one document")
    add("--crlf", action="store_true", help="with --sse: lines end as CR LF, events come one byte at a time")
    add("--sessions", action="store_true", help="legacy requests need a session")
    add("--forget-after", type=int, default=0, metavar="N", help="forget the session after N calls, once")
    add("--forget-status", type=int, default=404, help="how a forgotten session is answered: 404 or 400")
    add("--token", default="", help="answer 401 without this bearer token")
    add("--status", default="", metavar="METHOD=CODE", help="answer this method with a bare status")
    add("--times", type=int, default=1_000_000, metavar="N", help="do --status only N times")
    add("--cut", action="store_true", help="with --sse: the stream of a call ends before its response")
    add("--resumable", action="store_true", help="with --cut: the response waits for a GET with Last-Event-ID")
    add("--html", action="store_true", help="answer calls with a web page")
    add("--no-discover", action="store_true", help="answer modern requests with 400 and no message")
    add("--redirect", default="", metavar="URL", help="answer every POST to /moved with 307 to this")
    chosen, rest = parser.parse_known_args(argv)
    return argparse.Namespace(**{**vars(faulty.options(rest)), **vars(chosen)})


class Left(Exception):
    """The server went away in the middle of a call."""


class _Logic(faulty.Server):
    """The tools and lists, writing to whoever asked."""

    def __init__(self, chosen: argparse.Namespace, modern: bool) -> None:
        super().__init__(chosen)
        self.modern, self.decided = modern, True
        self.standing: set[asyncio.Queue[dict[str, Any]]] = set()
        self.loop = asyncio.get_running_loop()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message on the stream it belongs to."""
        if message.get("method") != _STANDING:
            _SINK.get().append(message)
            return
        for queue in tuple(self.standing):
            self.loop.call_soon_threadsafe(queue.put_nowait, message)

    def leave(self) -> None:
        """Close the connection that the call came by."""
        raise Left

    def work(self, ident: object, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """Answer one request, in a thread."""
        body = self.body(ident, method, params)
        if method == "tools/call":
            self.count(True)
        return body


class Endpoint:
    """The state of one server: its sessions and what it was asked.

    ``seen`` holds (headers, message) of each POST, ``peers`` the sockets that they came by.
    """

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.logic = {True: _Logic(chosen, modern=True), False: _Logic(chosen, modern=False)}
        self.sessions: set[str] = set()
        self.ended: list[str] = []
        self.seen: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.peers: set[object] = set()
        self.kept: dict[str, dict[str, Any]] = {}
        self.left = chosen.times
        self.forgotten = False

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/mcp", self.post)
        app.router.add_get("/mcp", self.get)
        app.router.add_delete("/mcp", self.delete)
        app.router.add_post("/moved", self.moved)
        return app

    async def moved(self, _request: web.Request) -> web.StreamResponse:
        """Redirect."""
        return web.Response(status=307, headers={"Location": self.chosen.redirect or "/mcp"})

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """End a session."""
        session = request.headers.get("Mcp-Session-Id", "")
        self.ended.append(session)
        self.sessions.discard(session)
        return web.Response(status=204)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Open a standing stream, or resume one."""
        logic = self.logic[False]
        last = request.headers.get("Last-Event-ID", "")
        if last in self.kept:
            return await self._stream(request, [self.kept.pop(last)])
        if self.chosen.sessions and request.headers.get("Mcp-Session-Id") not in self.sessions:
            return web.Response(status=self.chosen.forget_status)
        if not self.chosen.change_after:
            return web.Response(status=405, headers={"Allow": "POST"})
        return await self._stand(request, logic, [])

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take one message."""
        message = json.loads(await request.read())
        self.seen.append((dict(request.headers), message))
        self.peers.add(request.transport and request.transport.get_extra_info("peername"))
        method, ident = message.get("method", ""), message.get("id")
        refused = self._refused(request, method, message)
        if refused is not None:
            return refused
        modern = request.headers.get("MCP-Protocol-Version", "") not in {"", *faulty.HANDSHAKE}
        logic = self.logic[modern]
        if method in self.chosen.hang_on:
            await asyncio.Event().wait()
        if ident is None or not method:
            logic.noticed(method, message.get("params") or {})
            return web.Response(status=202)
        return await self._request(request, logic, message)

    def _refused(self, request: web.Request, method: str, message: dict[str, Any]) -> web.Response | None:
        chosen = self.chosen
        if chosen.token and request.headers.get("Authorization") != f"Bearer {chosen.token}":
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        status, self.left = chosen.status, self.left - (chosen.status.startswith(f"{method}="))
        if status.startswith(f"{method}=") and self.left >= 0:
            return web.Response(status=int(status.rpartition("=")[2]), headers={"Retry-After": "7"})
        modern = request.headers.get("MCP-Protocol-Version", "") not in {"", *faulty.HANDSHAKE}
        if modern:
            return self._modern_refusal(request, method, message)
        if chosen.sessions and method != "initialize" and request.headers.get("Mcp-Session-Id") not in self.sessions:
            error = {"code": -32000, "message": "Bad Request: No valid session ID provided"}
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": error}, status=chosen.forget_status)
        return None

    def _modern_refusal(self, request: web.Request, method: str, message: dict[str, Any]) -> web.Response | None:
        if self.chosen.mode == "legacy":
            if self.chosen.no_discover:
                return web.Response(status=400, text="Bad Request")
            error = {"code": -32000, "message": "Bad Request: Unsupported protocol version"}
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": error}, status=400)
        if request.headers.get("Mcp-Method") != method or "id" not in message:
            error = {"code": -32020, "message": "Header mismatch"}
            return web.json_response({"jsonrpc": "2.0", "id": message.get("id"), "error": error}, status=400)
        return None

    async def _request(self, request: web.Request, logic: _Logic, message: dict[str, Any]) -> web.StreamResponse:
        method, ident, chosen = message["method"], message["id"], self.chosen
        if method == "initialize" and chosen.mode == "modern":
            logic = self.logic[True]
        event = logic.cancelled[str(ident)] = threading.Event()
        sink: list[dict[str, Any]] = []
        _SINK.set(sink)
        try:
            body = await asyncio.to_thread(logic.work, ident, method, message.get("params") or {})
        except asyncio.CancelledError:
            event.set()
            raise
        except Left:
            return await self._left(request, b"")
        if body is None:
            return await self._stand(request, logic, sink)
        answer = {"jsonrpc": "2.0", "id": ident, **body}
        call = method == "tools/call"
        if call and chosen.html:
            return web.Response(text="<html>Welcome</html>", content_type="text/html")
        headers = self._session(method, logic)
        self._forget(call)
        if call and chosen.half_line:
            return await self._left(request, json.dumps(answer).encode())
        if not chosen.sse and not sink:
            status = {-32601: 404, -32602: 400, -32022: 400}.get(body.get("error", {}).get("code", 0), 200)
            return web.json_response(answer, status=status if logic.modern else 200, headers=headers)
        if call and chosen.cut:
            key = uuid.uuid4().hex
            self.kept.update({key: answer} if chosen.resumable else {})
            return await self._stream(request, sink, headers, f"id: {key}\nretry: 10\ndata:\n\n")
        return await self._stream(request, [*sink, answer], headers)

    async def _left(self, request: web.Request, whole: bytes) -> web.StreamResponse:
        """Close the connection after half an answer, or none."""
        assert request.transport is not None  # noqa: S101 - it is being answered
        if whole and self.chosen.sse:
            await (await self._begin(request, {})).write(b"data: " + whole[: len(whole) // 2])
        elif whole:
            response = web.StreamResponse(
                headers={"Content-Type": "application/json", "Content-Length": f"{len(whole)}"}
            )
            await response.prepare(request)
            await response.write(whole[: len(whole) // 2])
        request.transport.close()
        return web.Response()

    def _session(self, method: str, logic: _Logic) -> dict[str, str]:
        if method != "initialize" or logic.modern or not self.chosen.sessions:
            return {}
        session = uuid.uuid4().hex
        self.sessions.add(session)
        return {"Mcp-Session-Id": session}

    def _forget(self, call: bool) -> None:
        if call and self.chosen.forget_after and not self.forgotten:
            self.forgotten = self.logic[False].calls >= self.chosen.forget_after
            if self.forgotten:
                self.sessions.clear()

    async def _stand(self, request: web.Request, logic: _Logic, sink: list[dict[str, Any]]) -> web.StreamResponse:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        response = await self._begin(request, {})
        logic.standing.add(queue)
        try:
            for message in sink:
                await response.write(self._event(message))
            while True:
                await response.write(self._event(await queue.get()))
        finally:
            logic.standing.discard(queue)

    async def _stream(
        self,
        request: web.Request,
        messages: list[dict[str, Any]],
        headers: dict[str, str] | None = None,
        first: str = ": hello\n\n",
    ) -> web.StreamResponse:
        response = await self._begin(request, headers or {})
        if self.chosen.junk:
            first += "".join(f"data: {line}\n\n" for line in faulty.JUNK.decode().split("\n"))
        data = first.encode() + b"".join(self._event(message) for message in messages)
        if self.chosen.crlf:
            data = data.replace(b"\n", b"\r\n")
            for position in range(len(data)):
                await response.write(data[position : position + 1])
        else:
            await response.write(data)
        return response

    async def _begin(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **headers})
        await response.prepare(request)
        return response

    @staticmethod
    def _event(message: dict[str, Any]) -> bytes:
        return b"event: message\ndata: " + json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n\n"


@contextlib.asynccontextmanager
async def serving(*argv: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, Endpoint]]:
    """Serve on a free port of the loopback with these options; yields the URL and the state."""
    endpoint = Endpoint(options(list(argv)))
    runner = web.AppRunner(endpoint.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", endpoint.chosen.port, ssl_context=tls)
        await site.start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/mcp", endpoint
    finally:
        await runner.cleanup()


async def _main() -> None:
    async with serving(*sys.argv[1:]) as (url, _):
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
