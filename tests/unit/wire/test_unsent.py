"""Whether anything of a request can have reached its server: what a failed one says about that."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from vsm_mcp.errors import TransportError
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.stdio import StdioTransport


class Ends:
    """A connection over pipes, with the test at their other ends."""

    def __init__(self) -> None:
        self.stdin, write_fd = os.pipe()
        read_fd, self.stdout = os.pipe()
        self.connection = Connection(StdioTransport(read_fd, write_fd, max_line=1 << 20))

    def hang_up(self) -> None:
        for fd in (self.stdin, self.stdout):
            if fd >= 0:
                os.close(fd)
        self.stdin = self.stdout = -1


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    made = Ends()
    await made.connection.open()
    yield made
    made.hang_up()
    await made.connection.close()


async def failed(call: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        async with asyncio.timeout(10):
            await call.answer()
    return caught.value


async def test_one_that_was_written_may_have_arrived(ends: Ends, until: Callable[..., Any]) -> None:
    call = ends.connection.begin("tools/call", {"name": "x"}, timeout=10)
    await asyncio.sleep(0)  # the turn ends, and what it wrote leaves
    assert b"tools/call" in os.read(ends.stdin, 1000)
    ends.hang_up()
    assert not (await failed(call)).unsent


async def test_one_that_still_waits_for_the_end_of_the_turn_has_not_left(ends: Ends) -> None:
    call = ends.connection.begin("tools/call", {"name": "x"}, timeout=10)
    ends.connection.fail("it is gone")
    error = await failed(call)
    assert error.unsent
    assert error.message == "it is gone"


async def test_of_several_each_is_told_for_itself(ends: Ends) -> None:
    written = ends.connection.begin("tools/call", {"name": "x"}, timeout=10)
    await asyncio.sleep(0)
    held = ends.connection.begin("tools/call", {"name": "x"}, timeout=10)
    ends.connection.respond(b'{"jsonrpc":"2.0","id":1,"result":{}}')  # an answer of ours is no call of ours
    ends.connection.fail("it is gone")
    assert (await failed(held)).unsent
    assert not (await failed(written)).unsent


async def test_one_that_waits_for_a_server_that_does_not_read_has_not_left(ends: Ends) -> None:
    first = ends.connection.begin("tools/call", {"name": "x" * (2 << 20)}, timeout=10)
    await asyncio.sleep(0.01)  # the pipe is full now
    second = ends.connection.begin("tools/call", {"name": "y"}, timeout=10)
    await asyncio.sleep(0)
    os.close(ends.stdin)
    ends.stdin = -1
    assert (await failed(second)).unsent
    assert not (await failed(first)).unsent


async def test_nothing_leaves_over_a_connection_that_is_closed(ends: Ends) -> None:
    ends.connection.fail("it is gone")
    with pytest.raises(TransportError) as caught:
        ends.connection.begin("tools/call", {"name": "x"}, timeout=10)
    assert caught.value.unsent


# --- over HTTP -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[int]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def over_http(port: int) -> Connection:
    connection = Connection(HttpTransport(f"http://127.0.0.1:{port}/mcp"))
    await connection.open()
    return connection


async def test_where_nobody_listens_nothing_left() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        connection = await over_http(taken.getsockname()[1])
        error = await failed(connection.begin("tools/call", {"name": "x"}, timeout=10))
    assert error.unsent
    await connection.close()


async def test_a_request_that_was_read_may_have_been_carried_out() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with listening(answer) as port:
        connection = await over_http(port)
        error = await failed(connection.begin("tools/call", {"name": "x"}, timeout=10))
        assert not error.unsent
        await connection.close()
