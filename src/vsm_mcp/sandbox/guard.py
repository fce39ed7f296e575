"""What ends half-started sandboxes when the daemon is killed: one small process that waits for that.

bubblewrap's death signal is set step by step. Killed in the two milliseconds between making its first process and
letting it go, it leaves that process waiting forever, though nothing runs in it yet. The guard knows all of ours by a
token and holds a pipe to the daemon; when the pipe breaks, it kills them. Without a sandbox, and for our own tools, it
is also what ends the grandchildren. There is one for all of a daemon, while somebody holds it (:func:`hold`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from typing import Final

from vsm_mcp.sandbox import cgroup, sweeper

VARIABLE: Final = sweeper.VARIABLE
_SHELL: Final = "/bin/sh"
_WAIT: Final = 'cd / && read -r said && exit 0; exec "$@"'
"""Waits in a tenth of an interpreter's memory: a whole line means that all is well, the end of the pipe does not."""
_QUIT: Final = b"q\n"
_PATIENCE_SECONDS: Final = 5.0


class Guard:
    """One guard process; it ends with :meth:`close`, or by itself after the daemon's death."""

    def __init__(self) -> None:
        """Start it. Raises :class:`OSError`."""
        self.holders = 0
        self.token = f"vsm-mcp-{os.urandom(8).hex()}"
        reading, self._pipe = os.pipe()
        try:
            null = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
            sweep = (sys.executable, "-I", "-S", sweeper.__file__, self.token, cgroup.daemon_name())
            self._pid = os.posix_spawn(
                _SHELL,
                [_SHELL, "-c", _WAIT, "guard", *sweep],
                {},
                file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), null, (os.POSIX_SPAWN_DUP2, 1, 2)],
                setsid=True,
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(reading)

    def close(self) -> None:
        """Let it go, and wait for its end. Blocks for some milliseconds; idempotent."""
        if self._pipe < 0:
            return
        with contextlib.suppress(OSError):
            os.write(self._pipe, _QUIT)
        os.close(self._pipe)
        self._pipe = -1
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > deadline:
                    os.kill(self._pid, signal.SIGKILL)
                time.sleep(0.002)


_shared: list[Guard] = []


def hold() -> Guard:
    """Return the guard of this daemon, started if need be; :func:`release` it. Raises :class:`OSError`."""
    if not _shared:
        _shared.append(Guard())
    _shared[0].holders += 1
    return _shared[0]


async def release() -> None:
    """Give the guard back; the last one who does ends it."""
    guard = _shared[0]
    guard.holders -= 1
    if guard.holders == 0:
        _shared.clear()
        await asyncio.to_thread(guard.close)
