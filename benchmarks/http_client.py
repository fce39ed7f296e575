"""What a call over streamable HTTP costs its client: CPU of this process for one ``Connection.request``.

``python benchmarks/http_client.py`` starts the cheapest server there can be in a process of its own (it splices the
caller's id into an answer) and calls it one after the other, then by 64 callers at a time; a POST by aiohttp's client,
without any MCP around it, is measured in the same rounds as a yardstick. Read the ratios: the machine is never quiet.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import uvloop

from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.http import HttpTransport

Call = Callable[[], Awaitable[object]]
TEXT = "x" * 100
ASK = {"name": "echo", "arguments": {"text": TEXT}}


class Echo(asyncio.Protocol):
    """Answers every POST with one JSON document, or with one event; knows nothing of HTTP that it does not need."""

    stream, size = False, 100

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport, self.rest = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self.rest += data
        while True:
            head = self.rest.find(b"\r\n\r\n") + 4
            at = self.rest.lower().find(b"content-length:", 0, head)
            if head < 4 or at < 0:
                return
            end = head + int(self.rest[at + 15 : self.rest.index(b"\r", at)])
            if len(self.rest) < end:
                return
            body, self.rest = self.rest[head:end], self.rest[end:]
            at = body.index(b'"id":') + 5
            ident = body[at : body.index(b",", at)]
            self.transport.write(self.answer(ident))  # type: ignore[attr-defined]

    def answer(self, ident: bytes) -> bytes:
        """Return head and body."""
        text = b"x" * self.size
        body = b'{"jsonrpc":"2.0","id":%b,"result":{"content":[{"type":"text","text":"%b"}]}}' % (ident, text)
        kind = b"application/json"
        if self.stream:
            kind, body = b"text/event-stream", b"event: message\ndata: %b\n\n" % body
        return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(body), body)


async def serve() -> None:
    """Serve until somebody ends the process; the port is printed."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def spend(call: Call, calls: int, at_once: int) -> tuple[float, float]:
    """Make the calls; return microseconds of CPU for each, and calls per second."""
    left = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            await call()

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(at_once)))
    return (time.process_time() - cpu) / calls * 1e6, calls / (time.perf_counter() - began)


@contextlib.asynccontextmanager
async def callers(url: str) -> AsyncIterator[dict[str, Call]]:
    """Yield what is measured, by name."""
    connection = Connection(HttpTransport(url))
    await connection.open()
    connection.era, connection.protocol = "modern", "2026-07-28"
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"%b"}}}'
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def bare() -> bytes:
            async with session.post(url, data=body % TEXT.encode()) as response:
                return await response.read()

        yield {
            "Connection.request": lambda: connection.request("tools/call", ASK, timeout=30),
            "aiohttp, bare POST": bare,
        }
        await connection.close()


async def measure(port: int, rounds: int, calls: int) -> None:
    """Measure in turns and print the medians."""
    seen: dict[tuple[str, int], list[tuple[float, float]]] = {}
    async with callers(f"http://127.0.0.1:{port}/mcp") as measured:
        for turn in range(rounds + 1):
            for at_once in (1, 64):
                for name, call in measured.items():
                    figures = await spend(call, calls, at_once)
                    if turn:  # the first one warms up
                        seen.setdefault((name, at_once), []).append(figures)
    print(f"{'':24}{'at once':>8}{'CPU/call':>12}{'calls/s':>12}")
    for (name, at_once), figures in sorted(seen.items(), key=lambda item: item[0][1]):
        cpu, rate = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{name:24}{at_once:>8}{cpu:>9.1f} µs{rate:>12.0f}")


def main() -> None:
    """Read the command line; serve or measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="be the server")
    parser.add_argument("--stream", action="store_true", help="answers are streams of one event")
    parser.add_argument("--size", type=int, default=100, help="bytes of text in an answer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=5000, help="in each block")
    chosen = parser.parse_args()
    Echo.stream, Echo.size = chosen.stream, chosen.size
    if chosen.serve:
        uvloop.run(serve())
        return
    argv = [sys.executable, __file__, "--serve", "--size", str(chosen.size), *(["--stream"] if chosen.stream else [])]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        try:
            port = int(server.stdout.readline()) if server.stdout is not None else 0
            uvloop.run(measure(port, chosen.rounds, chosen.calls))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
