"""Sockets that lie in the network of a sandbox, and who listens where."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vsm_mcp.errors import TransportError
from vsm_mcp.sandbox import ports
from vsm_mcp.sandbox.child import Child, Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.dialing import Dialer, into
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier

LISTENS = """
import socket
listener = socket.socket()
listener.bind(("127.0.0.1", 4711))
listener.listen(64)
print("up", flush=True)
while True:
    client, _ = listener.accept()
    client.sendall(b"hello")
    client.close()
"""


@pytest.fixture
async def listener() -> AsyncIterator[Child]:
    isolation = await probe()
    if not isolation.tier.reaches(Tier.FULL_SOFT):
        pytest.skip(f"no sandbox here: {isolation.reasons}")
    async with Sandbox(isolation) as sandbox:
        command = Command(argv=("/usr/bin/python3", "-c", LISTENS), env={"PATH": "/usr/bin"})
        child = await sandbox.spawn(command, Confinement(), name="listener")
        async with asyncio.timeout(60):
            while not ports.listening(4711, child.pid):  # noqa: ASYNC110 -- it is another process that does it
                await asyncio.sleep(0.01)
        yield child


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


async def hear(dialer: Dialer) -> bytes:
    loop = asyncio.get_running_loop()
    with await dialer.socket() as made:
        async with asyncio.timeout(60):
            await loop.sock_connect(made, ("127.0.0.1", 4711))
            return await loop.sock_recv(made, 100)


async def test_sockets_lead_into_the_sandbox_and_the_hosts_own_do_not(listener: Child) -> None:
    dialer = into(listener.pid)
    assert dialer is not None
    before = descriptors()
    assert await asyncio.gather(*(hear(dialer) for _ in range(40))) == [b"hello"] * 40  # more than one batch
    assert not ports.listening(4711, os.getpid())
    with socket.socket() as outside, pytest.raises(ConnectionRefusedError):
        outside.connect(("127.0.0.1", 4711))
    dialer.close()
    dialer.close()
    assert descriptors() < before  # its own, for the namespace, is closed too
    with pytest.raises(TransportError, match="closed"):
        await dialer.socket()


async def test_what_is_made_after_the_end_is_not_kept(listener: Child) -> None:
    dialer = into(listener.pid)
    assert dialer is not None
    before = descriptors()
    making = asyncio.ensure_future(dialer.socket())
    await asyncio.sleep(0)
    dialer.close()
    with pytest.raises(TransportError):
        await making
    assert descriptors() < before


async def test_nothing_of_ours_stays_inside(listener: Child) -> None:
    dialer = into(listener.pid)
    assert dialer is not None
    await hear(dialer)
    network = _network(Path(f"/proc/{listener.pid}"))
    inside = [entry.name for entry in Path("/proc").glob("[0-9]*") if _network(entry) == network]
    assert set(map(int, inside)) <= {listener.pid, *listener.processes(), *_parents(listener.pid)}
    dialer.close()


async def test_our_own_network_needs_no_way_in() -> None:
    assert into(os.getpid()) is None
    with pytest.raises(TransportError, match="no way to the server"):
        into(2**22 + 1)


async def test_a_way_that_leads_nowhere_says_why() -> None:
    dialer = Dialer(os.open("/proc/self/ns/uts", os.O_RDONLY | os.O_CLOEXEC))
    with pytest.raises(TransportError, match="no way into the sandbox: entering the network namespace"):
        await dialer.socket()
    dialer.close()


def test_who_listens_is_found() -> None:
    port = ports.free()
    assert not ports.listening(port, os.getpid())
    with socket.socket(socket.AF_INET6) as listening:
        listening.bind(("::1", port))
        assert not ports.listening(port, os.getpid())
        listening.listen()
        found = ports.listening(port, os.getpid())
        assert len(found) == 1
        assert ports.held(found, [os.getpid()])
        assert not ports.held(found, [os.getppid(), 2**22 + 1])


def _network(process: Path) -> str:
    try:
        return str((process / "ns" / "net").readlink())
    except OSError:
        return ""


def _parents(pid: int) -> list[int]:
    """Return PID 1 of its namespace."""
    status = Path(f"/proc/{pid}/status").read_text()
    return [int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])]
