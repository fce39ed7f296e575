"""Ports: finding a free one on loopback, and who listens on one (proc(5): ``/proc/PID/net/tcp``)."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TABLES: Final = ("tcp", "tcp6")
_LISTENING: Final = "0A"
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


def free() -> int:
    """Return a port that is free now; somebody else may take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int, pid: int) -> set[str]:
    """Return the inodes of the sockets that listen on a port, of whatever address, in the network of a process."""
    found: set[str] = set()
    for table in _TABLES:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found


def held(inodes: set[str], pids: Iterable[int]) -> bool:
    """Return whether one of the processes holds one of the sockets."""
    return any(not inodes.isdisjoint(_sockets(pid)) for pid in pids)


def _sockets(pid: int) -> set[str]:
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                match = _SOCKET.fullmatch(os.readlink(entry.path))  # noqa: PTH115 - a symlink that leads nowhere
                if match:
                    found.add(match[1])
    return found
