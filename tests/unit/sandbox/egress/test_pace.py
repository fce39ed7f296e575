"""What one sandbox may take of the daemon's time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from vsm_mcp.sandbox.egress.pace import Meter, Pace

Flood = Callable[[int], socket.socket]


@pytest.fixture
def flood() -> Iterator[Flood]:
    """Makes a socket on which so many things wait."""
    with contextlib.ExitStack() as stack:

        def make(count: int) -> socket.socket:
            ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
            ours.setblocking(False)
            for _ in range(count):
                theirs.send(b"x")
            stack.enter_context(ours)
            stack.enter_context(theirs)
            return ours

        yield make


async def test_a_flood_waits_and_the_other_sockets_get_their_turn(flood: Flood) -> None:
    pace, loop = Pace(), asyncio.get_running_loop()
    taken: list[tuple[str, float]] = []
    done = asyncio.Event()

    def take(name: str, source: socket.socket) -> None:
        source.recv(10)
        taken.append((name, loop.time()))
        if len(taken) == 110:
            done.set()

    pace.serve(flood(100), lambda source: take("loud", source))
    pace.serve(flood(10), lambda source: take("quiet", source))
    await asyncio.wait_for(done.wait(), 60)
    pace.stop()
    at_first = [name for name, _ in taken[:32]]
    assert at_first.count("quiet") == 10
    for number in range(0, 96, 32):
        assert taken[number + 32][1] - taken[number][1] >= 0.015  # the clock of a timer is coarse


async def test_a_socket_that_cannot_be_served_is_not_asked_without_end(flood: Flood) -> None:
    pace, loop = Pace(), asyncio.get_running_loop()
    asked: list[float] = []
    enough = asyncio.Event()

    def refuse(_source: socket.socket) -> None:
        asked.append(loop.time())
        if len(asked) == 4:
            enough.set()
        raise OSError(24, "too many open files")

    pace.serve(flood(1), refuse)
    await asyncio.wait_for(enough.wait(), 60)
    pace.stop()
    assert asked[3] - asked[0] >= 0.045


async def test_what_comes_later_is_served_too(flood: Flood) -> None:
    pace = Pace()
    come: asyncio.Queue[bytes] = asyncio.Queue()
    ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setblocking(False)
        pace.serve(ours, lambda source: come.put_nowait(source.recv(10)))
        for word in (b"one", b"two"):
            theirs.send(word)
            assert await asyncio.wait_for(come.get(), 60) == word
            await asyncio.sleep(0.03)  # into the next window
        assert pace.stop() == [ours]
        theirs.send(b"three")
        await asyncio.sleep(0.03)
        assert come.empty()


async def test_bytes_pass_at_a_rate_and_a_little_at_once() -> None:
    meter, loop = Meter(), asyncio.get_running_loop()
    began = loop.time()
    await meter.passed(1024 * 1024)
    assert loop.time() - began < 0.01  # no wait: that little is nothing
    for _ in range(20):
        await meter.passed(1024 * 1024)
    assert loop.time() - began >= 21 / 64 - 0.03
