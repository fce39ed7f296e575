"""One worker per home: a lock held by the kernel, so that it cannot outlive its holder."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from vsm_mcp.errors import HomeBusy, HomeError

_POLL_SECONDS: Final = 0.1


class HomeLock:
    """An exclusive ``flock`` on ``run/lock``; whoever holds it may change what the home contains."""

    def __init__(self, home: Path) -> None:
        self._path = home / "run" / "lock"
        self._fd = -1

    async def acquire(self, *, wait: float = 0.0) -> None:
        """Take the lock, waiting up to ``wait`` seconds. Raises :class:`HomeBusy` naming the holder's pid."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(
                f"{self._path.parent} cannot be written: {error.strerror}", "set VSM_MCP_HOME to a folder of yours"
            ) from error
        until = time.monotonic() + wait
        while not _try_lock(fd):
            if time.monotonic() >= until:
                holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(fd)
                raise HomeBusy(f"another vsm-mcp (pid {holder}) works on {self._path.parent.parent}")
            await asyncio.sleep(_POLL_SECONDS)
        with contextlib.suppress(OSError):  # the pid is a courtesy: a full disk must not stop the holder
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    async def __aenter__(self) -> Self:
        if self._fd < 0:
            await self.acquire()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.release()


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
