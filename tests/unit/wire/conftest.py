"""Servers to talk to: the scripted one as a process, a peer made of bare pipes, and one on the official SDK."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import vsm_mcp.testing.faulty as faulty_module
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.stdio import StdioTransport

SDK_SERVER = Path(__file__).with_name("sdk_server.py")
FAULTY = Path(faulty_module.__file__)
MAX_LINE = 32 * 1024 * 1024


class Running:
    """One server process and how to talk to it."""

    def __init__(self, argv: list[str]) -> None:
        self.junk: list[bytes] = []
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.fds = (os.dup(self.process.stdout.fileno()), os.dup(self.process.stdin.fileno()))
        self.process.stdin.close()
        self.process.stdout.close()

    def transport(self, max_line: int = MAX_LINE) -> StdioTransport:
        return StdioTransport(*self.fds, max_line=max_line, on_junk=self.junk.append)

    async def connect(self, within: float = 10, known_era: str | None = None, max_line: int = MAX_LINE) -> Connection:
        self.connection = await connect(self.transport(max_line), timeout=within, known_era=known_era)
        return self.connection


Start = Callable[..., Running]


@pytest.fixture
def spawn() -> Iterator[Start]:
    """Start a scripted server with the faults named; for tests that run a loop of their own."""
    running: list[Running] = []

    def begin(*faults: str, argv: list[str] | None = None) -> Running:
        running.append(Running(argv or [sys.executable, "-S", "-E", str(FAULTY), *faults]))
        return running[-1]

    yield begin
    for server in running:
        server.process.kill()
        server.process.wait(10)


@pytest.fixture
async def start(spawn: Start) -> AsyncIterator[Start]:
    """Start a scripted server with the faults named; what is connected to it is closed at the end."""
    running: list[Running] = []

    def begin(*faults: str, argv: list[str] | None = None) -> Running:
        running.append(spawn(*faults, argv=argv))
        return running[-1]

    yield begin
    for server in running:
        if hasattr(server, "connection"):
            server.process.kill()
            await server.connection.close()


@pytest.fixture
def start_sdk(start: Start) -> Start:
    """Start a server made with the official SDK, over stdio."""

    def begin(*arguments: str) -> Running:
        return start(argv=[sys.executable, str(SDK_SERVER), *arguments])

    return begin


@pytest.fixture(scope="session")
def sdk_url() -> Iterator[str]:
    """Serve the SDK's server over HTTP, both eras at one URL."""
    with subprocess.Popen(
        [sys.executable, str(SDK_SERVER), "--http"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


class Peer:
    """The other end of two pipes: what the server would read and write, byte for byte."""

    def __init__(self) -> None:
        self.from_client, write_fd = os.pipe()
        read_fd, self.to_client = os.pipe()
        self.junk: list[bytes] = []
        self.transport = StdioTransport(read_fd, write_fd, max_line=MAX_LINE, on_junk=self.junk.append)
        self._rest = b""

    async def open(self, era: str = "legacy") -> Connection:
        """Return a connection that is past its handshake."""
        self.connection = Connection(self.transport)
        await self.connection.open()
        self.connection.era = "modern" if era == "modern" else "legacy"
        self.connection.protocol = "2026-07-28" if era == "modern" else "2025-11-25"
        return self.connection

    async def line(self) -> dict[str, Any]:
        """Return the next message the client wrote."""
        while b"\n" not in self._rest:
            self._rest += await asyncio.wait_for(asyncio.to_thread(os.read, self.from_client, 1 << 20), 60)
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = msgspec.json.decode(line)
        return message

    def write(self, data: bytes) -> None:
        """Write to the client (little enough to fit into the pipe)."""
        os.write(self.to_client, data)

    async def write_all(self, data: bytes) -> None:
        """Write to the client, however much it is."""

        def work() -> None:
            view = memoryview(data)
            while view:
                view = view[os.write(self.to_client, view) :]

        await asyncio.to_thread(work)

    def hang_up(self) -> None:
        """Close the server's output."""
        os.close(self.to_client)
        self.to_client = -1


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    yield made
    if hasattr(made, "connection"):
        if made.to_client >= 0:
            made.hang_up()
        await made.connection.close()
    else:
        await made.transport.close()
    for fd in (made.from_client, made.to_client):
        if fd >= 0:
            os.close(fd)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Any]:
    """Wait, five seconds at most, until something holds."""

    async def wait(holds: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds():  # noqa: ASYNC110 - of another process, or of sockets
                await asyncio.sleep(0.002)

    return wait
