"""Lines over pipes: how they are cut, how long they are, and what is no message."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
import uvloop

from vsm_mcp.errors import ProtocolError, TransportError
from vsm_mcp.wire.lines import Reader, Writer
from vsm_mcp.wire.stdio import StdioTransport
from vsm_mcp.wire.transport import Head

REQUEST = Head(kind="request", method="x", id=1)


class Ends:
    """A transport with the test on both sides of it."""

    def __init__(self, max_line: int = 1 << 20) -> None:
        self.stdin, write_fd = os.pipe()
        read_fd, self.stdout = os.pipe()
        self.lines: list[bytes] = []
        self.junk: list[bytes] = []
        self.lost: list[str] = []
        self.transport = StdioTransport(read_fd, write_fd, max_line=max_line, on_junk=self.junk.append)

    def deliver(self, line: bytes, about: int | None) -> bool:
        assert about is None
        if not line.startswith(b"{"):
            raise ProtocolError("junk")
        self.lines.append(line)
        return False

    async def __aenter__(self) -> Self:
        await self.transport.open(self.deliver, self.lost.append)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        await self.transport.close()
        os.close(self.stdin)

    def hang_up(self) -> None:
        if self.stdout >= 0:
            os.close(self.stdout)
        self.stdout = -1


async def test_lines_however_they_are_cut(until: Callable[..., Any]) -> None:
    async with Ends() as ends:
        data = b'{"a":1}\r\n\n  \n{"b":\xff}\nhello\n{"c":3}\n'
        for position in range(len(data)):
            os.write(ends.stdout, data[position : position + 1])
            await asyncio.sleep(0)
        await until(lambda: len(ends.lines) == 3)
        assert ends.lines == [b'{"a":1}\r', b'{"b":\xff}', b'{"c":3}']
        assert ends.junk == [b"hello"]
        os.write(ends.stdout, data * 50)
        await until(lambda: len(ends.lines) == 153)


@pytest.mark.parametrize(
    ("rest", "delivered", "reason"),
    [
        (b"", [], "the server closed its output"),
        (b'{"whole":1}', [b'{"whole":1}'], "half a line (11 bytes)"),
        (b'"half', [], "half a line (5 bytes)"),
    ],
)
async def test_end_of_output(rest: bytes, delivered: list[bytes], reason: str, until: Callable[..., Any]) -> None:
    async with Ends() as ends:
        os.write(ends.stdout, rest) if rest else None
        ends.hang_up()
        await until(lambda: ends.lost)
        assert ends.lines == delivered
        assert reason in ends.lost[0]
    assert len(ends.lost) == 1  # closing afterwards says nothing more


async def test_a_line_may_be_as_long_as_the_limit_and_not_longer(until: Callable[..., Any]) -> None:
    async with Ends(max_line=100) as ends:
        os.write(ends.stdout, b"{" + b"x" * 99 + b"\n")
        await until(lambda: ends.lines)
        os.write(ends.stdout, b"{" + b"x" * 100 + b'\n{"later":1}\n')
        await until(lambda: ends.lost)
        assert ends.lost == ["the server sent a line of more than 100 bytes"]
        assert len(ends.lines) == 1


async def test_a_line_without_end_is_not_kept(until: Callable[..., Any]) -> None:
    async with Ends(max_line=100) as ends:
        for _ in range(20):
            os.write(ends.stdout, b"x" * 50)
            await asyncio.sleep(0)
        await until(lambda: ends.lost)


async def test_messages_of_one_turn_are_one_write() -> None:
    async with Ends() as ends:
        for number in range(100):
            assert ends.transport.try_send(b'{"n":%d}' % number)
        assert ends.transport.try_send(b'{\n"pretty":\r\n1}')
        await asyncio.sleep(0.01)
        first = os.read(ends.stdin, 1 << 16)  # a pipe gives what one write put into it, or several: here all at once
        assert first.count(b"\n") == 101
        assert first.endswith(b'\n{ "pretty":  1}\n')


async def test_back_pressure() -> None:
    async with Ends() as ends:
        assert ends.transport.try_send(b"x" * (2 << 20))
        assert not ends.transport.try_send(b"y")
        blocked = asyncio.create_task(ends.transport.send(b"z", REQUEST))
        done, _ = await asyncio.wait({blocked}, timeout=0.05)
        assert not done  # the server does not read, so a request waits
        await ends.transport.send(b"c", Head(kind="notification"))  # a cancellation does not

        def read() -> bytes:
            data = b""
            while not data.endswith(b"z\n"):
                data += os.read(ends.stdin, 1 << 20)
            return data

        data = await asyncio.wait_for(asyncio.to_thread(read), 60)
        await asyncio.wait_for(blocked, 1)
        assert data == b"x" * (2 << 20) + b"\nc\nz\n"


async def test_what_waits_for_a_server_that_never_reads_is_bounded() -> None:
    async with Ends() as ends:
        with pytest.raises(TransportError, match="does not read"):
            for _ in range(100):
                await ends.transport.send(b"x" * 100_000, Head(kind="response"))
                await asyncio.sleep(0)
        assert 4_000_000 < ends.transport._out.get_write_buffer_size() < 4_500_000


async def test_sending_after_the_end(until: Callable[..., Any]) -> None:
    async with Ends() as ends:
        ends.hang_up()
        await until(lambda: ends.lost)
        assert not ends.transport.try_send(b"{}")
        with pytest.raises(TransportError):
            await ends.transport.send(b"{}", REQUEST)


async def test_server_that_closes_its_input(until: Callable[..., Any]) -> None:
    ends = Ends()
    async with ends:
        os.close(ends.stdin)
        ends.transport.try_send(b"{}")
        await until(lambda: ends.lost)
        ends.stdin = os.open("/dev/null", os.O_RDONLY)


async def test_the_last_words_of_a_server_that_closes_its_input(until: Callable[..., Any]) -> None:
    async with Ends() as ends:
        os.close(ends.stdin)
        ends.transport.try_send(b"{}")
        os.write(ends.stdout, b'{"last":1}\n')
        await until(lambda: ends.lost)
        assert ends.lines == [b'{"last":1}']
        assert ends.lost == ["the server closed its input"]
        ends.stdin = os.open("/dev/null", os.O_RDONLY)


async def test_closing_ends_stdin_and_waits_for_the_last_words() -> None:
    ends = Ends()
    await ends.transport.open(ends.deliver, ends.lost.append)
    ends.transport.try_send(b"{}")

    def server() -> bytes:
        data = b""
        while chunk := os.read(ends.stdin, 100):
            data += chunk
        os.write(ends.stdout, b'{"bye":1}\n')
        os.close(ends.stdout)
        return data

    talking = asyncio.create_task(asyncio.to_thread(server))
    await ends.transport.close()
    await ends.transport.close()
    assert await talking == b"{}\n"
    assert ends.lines == [b'{"bye":1}']
    os.close(ends.stdin)


async def test_closing_does_not_wait_long_for_a_server_that_stays() -> None:
    async with Ends() as ends:
        began = time.monotonic()
        await ends.transport.close()
        assert time.monotonic() - began < 3


async def test_descriptors_that_are_no_pipes(tmp_path: Path) -> None:
    read_fd, write_fd = os.open(tmp_path / "out", os.O_CREAT), os.open(tmp_path / "in", os.O_CREAT | os.O_WRONLY)
    transport = StdioTransport(read_fd, write_fd, max_line=10)
    with pytest.raises(TransportError, match="cannot be used"):
        await transport.open(lambda _line, _about: False, lambda _reason: None)
    await transport.close()
    for fd in (read_fd, write_fd):  # nothing is left open
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)


async def test_a_flood_of_lines_nobody_asked_for_leaves_turns_to_others() -> None:
    async with Ends() as ends:
        flood = b"x\n" * 8000 + b'{"n":1}\n' * 8000
        writing = asyncio.ensure_future(asyncio.to_thread(os.write, ends.stdout, flood))
        turns, longest = 0, 0.0
        while len(ends.junk) + len(ends.lines) < 16_000:
            began = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)
            turns += 1
        assert await writing == len(flood)
        assert (len(ends.junk), len(ends.lines)) == (8000, 8000)
        assert turns > 100
        assert longest < 0.2  # all that fits into a pipe is 32 768 such lines


async def test_an_answer_behind_a_flood_and_the_end_behind_it_arrive(until: Callable[..., Any]) -> None:
    async with Ends() as ends:
        os.write(ends.stdout, b"x\n" * 1000 + b'{"id":1}\n{"half":')
        ends.hang_up()
        await until(lambda: bool(ends.lost))
        assert len(ends.junk) == 1000
        assert ends.lines == [b'{"id":1}', b'{"half":']
        assert "half a line" in ends.lost[0]


def test_a_server_that_is_gone_before_its_pipes_are_attached_is_lost_and_nothing_else() -> None:
    class Late(StdioTransport):
        """One that comes to its turn when the server's input is closed for good."""

        async def _attach(self, reader: Reader, writer: Writer) -> asyncio.WriteTransport:
            out = await super()._attach(reader, writer)
            await writer.done
            return out

    async def main() -> None:
        stdin, write_fd = os.pipe()
        read_fd, stdout = os.pipe()
        os.close(stdin)
        os.close(stdout)
        lost: list[str] = []
        transport = Late(read_fd, write_fd, max_line=1 << 20)
        await transport.open(lambda _line, _about: False, lost.append)
        with pytest.raises(TransportError, match="closed"):
            await transport.send(b"{}", REQUEST)
        await transport.close()
        assert lost == ["the server closed its output"]

    uvloop.run(main())
