"""A program: kills for half a second at least whatever belongs to a daemon that is dead.

Run by a bare interpreter, for :class:`~vsm_mcp.sandbox.guard.Guard`; it imports next to nothing.
"""
# ruff: noqa: PTH112, PTH123, PTH208 -- pathlib would double its start-up

from __future__ import annotations

import os
import signal
import sys
import time

VARIABLE = "VSM_MCP_GUARD"
_SWEEP_SECONDS = 0.5
_LEAST_SWEEPS = 10  # however busy the machine is
_PAUSE_SECONDS = 0.02


def belonging(token: bytes, daemon: bytes = b"") -> list[int]:
    """Return the processes that carry the token, as ``argv[0]`` or in their environment at start.

    Also those in a control group of ``daemon`` (the name of its groups): out of that nothing gets by itself.
    """
    own, found = os.getpid(), []
    variable = VARIABLE.encode() + b"=" + token
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit() and int(name) != own:
            first, _, _ = _read(f"/proc/{name}/cmdline").partition(b"\0")
            if (
                first == token
                or variable in _read(f"/proc/{name}/environ").split(b"\0")
                or (daemon and b"/" + daemon + b"/" in _read(f"/proc/{name}/cgroup"))
            ):
                found.append(int(name))
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def main(arguments: list[str]) -> int:
    """Sweep; ``arguments`` holds the token and the name of the daemon's control groups."""
    token, daemon = (argument.encode() for argument in arguments)
    end, sweeps = time.monotonic() + _SWEEP_SECONDS, 0
    while time.monotonic() < end or sweeps < _LEAST_SWEEPS:
        sweeps += 1
        for pid in belonging(token, daemon):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(_PAUSE_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
