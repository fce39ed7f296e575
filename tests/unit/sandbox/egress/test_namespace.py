"""The program that enters a namespace: in one of this test's own, which no bubblewrap has made ready."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest

from vsm_mcp.sandbox.egress.entrance import Entrance, Sockets
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier

ALONE = """
import ctypes, fcntl, os, socket, struct, sys
flags = 0x40000000 | (0x10000000 if os.geteuid() else 0)
if ctypes.CDLL(None, use_errno=True).unshare(flags) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("alone", flush=True)
for what in sys.stdin:
    if what == "up\\n":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            fcntl.ioctl(probe, 0x8914, struct.pack("16sH14x", b"lo", 1 | 0x40))
    elif what == "connect\\n":
        for host in ("192.0.2.1", "2001:db8::1"):
            with socket.create_connection((host, 8080), 10) as peer:
                print(peer.getpeername()[:2], flush=True)
"""


@pytest.fixture
async def alone() -> AsyncIterator[asyncio.subprocess.Process]:
    """A process in a network namespace whose loopback is down."""
    if not (await probe()).tier.reaches(Tier.FULL_SOFT):
        pytest.skip("no namespaces here")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", ALONE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"alone\n"
    yield process
    process.kill()
    await process.communicate()


def tell(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n".encode())


async def test_it_waits_for_the_loopback_and_every_address_is_local_then(alone: asyncio.subprocess.Process) -> None:
    """Whoever sets ``lo`` up before bubblewrap does makes bubblewrap die."""
    network = os.open(f"/proc/{alone.pid}/ns/net", os.O_RDONLY)
    entrance = Entrance((53, 8080), "test")
    try:
        entering = asyncio.ensure_future(entrance.sockets(network))
        await asyncio.wait([entering], timeout=0.3)
        assert not entering.done()
        tell(alone, "up")
        sockets: Sockets = await asyncio.wait_for(entering, 60)
    finally:
        os.close(network)
        await entrance.close()
    assert [listener.getsockname()[1] for listener in sockets.listeners] == [53, 8080]
    assert sockets.names.getsockname() == ("127.0.0.1", 53)
    assert sockets.watch is not None
    tell(alone, "connect")
    assert alone.stdout is not None
    for host in ("192.0.2.1", "2001:db8::1"):
        assert await asyncio.wait_for(alone.stdout.readline(), 60) == f"{(host, 8080)}\n".encode()
    seen = [sockets.watch.recv(200)[0] >> 4 for _ in range(2)]
    assert seen == [4, 6]
    with pytest.raises(BlockingIOError):
        sockets.watch.recv(200)  # each once, and nothing of what followed
    sockets.close()


async def test_what_is_no_network_namespace_is_refused(alone: asyncio.subprocess.Process) -> None:
    other = os.open(f"/proc/{alone.pid}/ns/uts", os.O_RDONLY)
    entrance = Entrance((53,), "test")
    try:
        with pytest.raises(OSError, match="entering the network namespace"):
            await entrance.sockets(other)
    finally:
        os.close(other)
        await entrance.close()


async def test_it_ends_when_nobody_sends_a_namespace() -> None:
    entrance = Entrance((53,), "test")
    await asyncio.wait_for(entrance.close(), 60)
