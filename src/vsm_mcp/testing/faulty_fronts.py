"""The scripted server of :mod:`vsm_mcp.testing.faulty` over HTTP+SSE, a WebSocket and TCP, with all of its faults.

``python -m vsm_mcp.testing.faulty_fronts sse|ws|tcp …`` prints its URL on stdout; :func:`serving` runs it inside a
test. Each connection is a conversation of its own. Options it does not know itself are the stdio server's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import WSMsgType, web

from vsm_mcp.testing import faulty

_LARGEST = 64 * 1024 * 1024


def options(argv: list[str]) -> argparse.Namespace:
    """Read the command line; what is not of a front goes to :func:`vsm_mcp.testing.faulty.options`."""
    parser = argparse.ArgumentParser(prog="faulty_fronts", description="the faulty server elsewhere", add_help=False)
    add = parser.add_argument
    add("--port", type=int, default=0)
    add("--token", default="", help="answer 401 without this bearer token")
    add("--endpoint", default="/messages", help="where the stream says that messages go ('': it does not say)")
    add("--refuse-post", type=int, default=0, metavar="CODE", help="answer every message with this status")
    add("--redirect", default="", metavar="URL", help="answer 307 to this")
    chosen, rest = parser.parse_known_args(argv)
    return argparse.Namespace(**{**vars(faulty.options(rest)), **vars(chosen)})


class Talk(faulty.Server):
    """One conversation; ``None`` on its queue means that the server went away."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        super().__init__(chosen)
        self.loop = asyncio.get_running_loop()
        self.said: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()

    def write(self, data: bytes) -> None:
        """Say something; threads do, too."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: whoever would have heard it is gone
            self.loop.call_soon_threadsafe(self.said.put_nowait, data)

    def leave(self) -> None:
        """Close this conversation."""
        self.loop.call_soon_threadsafe(self.said.put_nowait, None)

    def end(self) -> None:
        """Leave no thread behind."""
        for event in self.cancelled.values():
            event.set()

    def noticed(self, method: str, params: dict[str, Any]) -> None:
        """Take note of a notification; one that shall not read stops to, and blocks nobody else."""
        if method == "notifications/initialized" and self.chosen.no_read:
            self.reads.clear()
        else:
            super().noticed(method, params)


class Front:
    """The state of one server: its conversations, and the messages it was sent."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.talks: list[Talk] = []
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def talk(self) -> Talk:
        """Begin a conversation."""
        self.talks.append(Talk(self.chosen))
        return self.talks[-1]

    async def take(self, talk: Talk, line: bytes | str) -> None:
        """Take one message."""
        await talk.reads.wait()
        message = json.loads(line)
        self.seen.append(message)
        talk.take(message)

    def refused(self, request: web.Request) -> web.Response | None:
        """Return the answer to whoever may not come in."""
        self.headers.append(dict(request.headers))
        if self.chosen.redirect:
            return web.Response(status=307, headers={"Location": self.chosen.redirect})
        if self.chosen.token and request.headers.get("Authorization") != f"Bearer {self.chosen.token}":
            return web.Response(status=401)
        return None

    # --- HTTP+SSE ------------------------------------------------------------------------------------------------

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Open a stream: first where messages go, then what the server says."""
        if (refusal := self.refused(request)) is not None:
            return refusal
        talk = self.talk()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if self.chosen.endpoint:
            where = f"{self.chosen.endpoint}?session={len(self.talks) - 1}"
            await response.write(f": hello\n\nevent: endpoint\ndata: {where}\n\n".encode())
        while (data := await talk.said.get()) is not None:
            for line in data.split(b"\n"):
                await response.write(b"event: message\ndata: %b\n\n" % line if line else b": \n")
        return response

    async def message(self, request: web.Request) -> web.Response:
        """Take a POSTed message."""
        if (refusal := self.refused(request)) is not None:
            return refusal
        if self.chosen.refuse_post:
            return web.Response(status=self.chosen.refuse_post)
        await self.take(self.talks[int(request.query["session"])], await request.read())
        return web.Response(status=202, text="Accepted")

    async def moved(self, request: web.Request) -> web.Response:
        """Send on to where it is now."""
        where = "/sse" if request.method == "GET" else f"/messages?{request.query_string}"
        return web.Response(status=307, headers={"Location": where})

    # --- WebSocket -----------------------------------------------------------------------------------------------

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """Converse over a WebSocket."""
        if (refusal := self.refused(request)) is not None:
            return refusal
        socket = web.WebSocketResponse(protocols=("mcp",), max_msg_size=_LARGEST)
        await socket.prepare(request)
        talk = self.talk()
        saying = asyncio.ensure_future(self._say(talk, socket))
        try:
            async for message in socket:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    await self.take(talk, message.data)
        finally:
            saying.cancel()
            await asyncio.wait([saying])
        return socket

    @staticmethod
    async def _say(talk: Talk, socket: web.WebSocketResponse) -> None:
        while (data := await talk.said.get()) is not None:
            for line in filter(None, data.split(b"\n")):
                await socket.send_frame(line, WSMsgType.TEXT)
        await socket.close()

    # --- TCP -----------------------------------------------------------------------------------------------------

    async def lines(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Converse in lines."""
        talk = self.talk()

        async def say() -> None:
            while (data := await talk.said.get()) is not None:
                writer.write(data)
                await writer.drain()
            writer.close()

        saying = asyncio.ensure_future(say())
        try:
            while line := await reader.readline():
                await self.take(talk, line)
        except OSError:
            pass
        finally:
            saying.cancel()
            await asyncio.wait([saying])
            writer.close()


@contextlib.asynccontextmanager
async def serving(kind: str, *argv: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, Front]]:
    """Serve one ``kind`` (``sse``, ``ws``, ``tcp``) on a port of the loopback; yields the URL and the state."""
    front = Front(options(list(argv)))
    opened = _tcp(front) if kind == "tcp" else _web(front, kind, tls)
    async with opened as url:
        try:
            yield url, front
        finally:
            for talk in front.talks:
                talk.end()


@contextlib.asynccontextmanager
async def _web(front: Front, kind: str, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    app = web.Application(client_max_size=_LARGEST)
    app.router.add_get("/sse", front.stream)
    app.router.add_post("/messages", front.message)
    app.router.add_route("*", "/moved", front.moved)
    app.router.add_get("/ws", front.socket)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", front.chosen.port, ssl_context=tls).start()
        scheme = {"sse": "http", "ws": "ws"}[kind] + ("s" if tls else "")
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/{kind}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _tcp(front: Front) -> AsyncIterator[str]:
    serving: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(front.lines(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", front.chosen.port, limit=_LARGEST)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _main() -> None:
    serve: Callable[..., Any] = serving
    async with serve(*sys.argv[1:]) as (url, _):
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
