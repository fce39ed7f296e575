"""Telling the service manager how we are: ready, reloading, stopping, alive (``sd_notify``, in thirty lines).

Without ``$NOTIFY_SOCKET`` in the environment, nothing is told. Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
_USEC: Final = "WATCHDOG_USEC"
_PID: Final = "WATCHDOG_PID"


class Notifier:
    """Says ``NAME=value`` lines to the service manager; whoever does not listen costs nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get(SOCKET, "")
        self.patience = watchdog_seconds(environ, os.getpid())

    def say(self, *lines: str) -> None:
        """Send one message; a service manager that is gone, or busy, misses it."""
        if not self._address or self._address[0] not in "/@":
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), address)

    def ready(self, status: str) -> None:
        """Say that the endpoint is served."""
        self.say("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that settings are read again; :meth:`ready` ends it."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Say that we are about to end."""
        self.say("STOPPING=1", "STATUS=stopping the servers")

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Ping the watchdog, if one waits, as long as the event loop turns."""
        pinging = asyncio.get_running_loop().create_task(self._ping(), name="watchdog") if self.patience else None
        try:
            yield
        finally:
            if pinging is not None:
                pinging.cancel()
                await asyncio.wait([pinging])

    async def _ping(self) -> None:
        while True:
            self.say("WATCHDOG=1")
            await asyncio.sleep(self.patience / 2)


def watchdog_seconds(environ: Mapping[str, str], pid: int) -> float:
    """Return after how many seconds without a ping the service manager kills process ``pid``; 0: never."""
    usec = environ.get(_USEC, "")
    if not usec.isdecimal() or environ.get(_PID, str(pid)) != str(pid):
        return 0.0
    return int(usec) / 1_000_000
