"""The daemon's local sockets: ``control.sock`` speaks HTTP, ``mcp.sock`` one MCP message a line.

Beside ``mcp.sock`` there is one for each profile, ``mcp-NAME.sock``: which one a client comes through says what it
sees, and nothing but its own bytes passes. A socket's address holds 107 bytes, a home may be deeper: both ends go
through the descriptor of its folder.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vsm_mcp.errors import HomeError

CONTROL: Final = "control.sock"
_BACKLOG: Final = 128


def lines(profile: str = "") -> str:
    """Return the name of the socket on which a profile (``""``: everything) is served, one message a line."""
    return f"mcp-{profile}.sock" if profile else "mcp.sock"


def connect(home: Path, name: str) -> socket.socket:
    """Connect to a socket of the daemon, blocking. Raises ``OSError`` when nobody listens."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(home / "run" / name) as address:
            connected.connect(address)
    except OSError:
        connected.close()
        raise
    return connected


@contextlib.contextmanager
def listening(home: Path, name: str) -> Iterator[socket.socket]:
    """Listen on a socket that only the owner of the home can open; its file goes away at the end.

    The caller holds the home's lock, so a file that is there was left by a process that was killed. Raises
    :class:`HomeError`.
    """
    path = home / "run" / name
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        with _address(path) as address:
            listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise HomeError(f"{path} cannot be made: {error.strerror}", "check the disk and who owns the home") from error
    finally:
        os.umask(before)
    try:
        yield listener
    finally:
        listener.close()
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
