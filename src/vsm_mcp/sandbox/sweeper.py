"""A program: waits until its stdin ends, then kills for half a second whatever carries the token.

Run by a bare interpreter, for :class:`~vsm_mcp.sandbox.guard.Guard`; it imports next to nothing.
"""
# ruff: noqa: PTH123, PTH208 -- pathlib would double its start-up

from __future__ import annotations

import os
import signal
import sys
import time

VARIABLE = "VSM_MCP_GUARD"
QUIT = b"q"
_SWEEP_SECONDS = 0.5
_PAUSE_SECONDS = 0.02


def belonging(token: bytes) -> list[int]:
    """Return the processes that carry the token: as ``argv[0]``, or in their environment at start."""
    own, found = os.getpid(), []
    variable = VARIABLE.encode() + b"=" + token
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != own:
            first, _, _ = _read(f"/proc/{name}/cmdline").partition(b"\0")
            if first == token or variable in _read(f"/proc/{name}/environ").split(b"\0"):
                found.append(int(name))
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def main(arguments: list[str]) -> int:
    """Wait and sweep; ``arguments`` holds the token."""
    os.chdir("/")
    if os.read(0, 1) == QUIT:
        return 0
    end = time.monotonic() + _SWEEP_SECONDS
    while time.monotonic() < end:
        for pid in belonging(arguments[0].encode()):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(_PAUSE_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
