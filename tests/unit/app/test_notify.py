"""What the service manager hears, on a real datagram socket."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from vsm_mcp.app.notify import Notifier, watchdog_seconds


class Manager:
    """What systemd has on the other side."""

    def __init__(self, address: str) -> None:
        self.environ = {"NOTIFY_SOCKET": address}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(60)

    def heard(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@vsm-mcp-test-{secrets.token_hex(8)}"
    made = Manager(address)
    with made.socket:
        yield made


def test_the_states_of_a_daemon(manager: Manager) -> None:
    notifier = Notifier(manager.environ)
    notifier.ready("2 servers")
    assert manager.heard() == ["READY=1", "STATUS=2 servers"]
    notifier.reloading()
    reloading, at = manager.heard()
    assert reloading == "RELOADING=1"
    name, _, usec = at.partition("=")
    assert name == "MONOTONIC_USEC"
    assert int(usec) > 0
    notifier.stopping()
    assert manager.heard()[0] == "STOPPING=1"


async def test_the_watchdog_is_pinged_while_the_loop_turns(manager: Manager) -> None:
    manager.socket.setblocking(False)
    notifier = Notifier({**manager.environ, "WATCHDOG_USEC": "40000"})
    loop = asyncio.get_running_loop()
    async with notifier.alive():
        for _ in range(3):
            async with asyncio.timeout(60):
                assert await loop.sock_recv(manager.socket, 4096) == b"WATCHDOG=1"
    with pytest.raises(BlockingIOError):
        manager.socket.recv(4096)


async def test_no_watchdog_no_ping(manager: Manager) -> None:
    before = asyncio.all_tasks()
    async with Notifier(manager.environ).alive():
        assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0),  # meant for our parent
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "-5"}, 0.0),
    ],
)
def test_whom_the_watchdog_watches(environ: dict[str, str], seconds: float) -> None:
    assert watchdog_seconds(environ, 7) == seconds


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all", "@nobody-listens-here"])
def test_nobody_listens(address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).ready("x")
