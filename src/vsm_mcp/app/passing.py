"""``serve --stdio`` beside a daemon: bytes of the client go to the daemon's line socket, its bytes come back."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Final

from vsm_mcp.app.sockets import connect, lines
from vsm_mcp.errors import TransportError, UnknownProfile

_CHUNK: Final = 1 << 16


def pass_on(home: Path, read_fd: int, write_fd: int, profile: str = "") -> None:
    """Copy between two descriptors and the daemon of a home until one side closes; the client sees ``profile``.

    Blocking, with one thread for each direction. Raises :class:`TransportError` when no daemon answers, and
    :class:`UnknownProfile` when the one that does was started without the profile.
    """
    daemon = _daemon(home, profile)

    def upwards() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(read_fd, _CHUNK):
                daemon.sendall(data)
        with contextlib.suppress(OSError):
            daemon.shutdown(socket.SHUT_WR)

    threading.Thread(target=upwards, daemon=True).start()
    with daemon, contextlib.suppress(OSError):
        while data := daemon.recv(_CHUNK):
            view = memoryview(data)
            while view:
                view = view[os.write(write_fd, view) :]


def _daemon(home: Path, profile: str) -> socket.socket:
    try:
        return connect(home, lines(profile))
    except OSError as error:
        if profile and _answers(home):
            raise UnknownProfile(
                f"the daemon of this home knows no profile {profile!r}",
                "it reads the settings at its start: restart it",
            ) from error
        raise TransportError(
            "the process that works on this home serves no MCP", "wait for it, then try again"
        ) from error


def _answers(home: Path) -> bool:
    try:
        connect(home, lines()).close()
    except OSError:
        return False
    return True
