"""Process trees, read from ``/proc``."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

_COUNTED = ("RssAnon:", "RssShmem:")


def children(pid: int) -> list[int]:
    """Return the children of a process, in the order they were started; none if it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                text = (thread / "children").read_text("ascii")
                found.extend(int(part) for part in text.split())
    return found


def descendants(pid: int) -> list[int]:
    """Return all processes below one, nearest first."""
    found: list[int] = []
    front = [pid]
    while front:
        front = [child for parent in front for child in children(parent)]
        found.extend(front)
    return found


def everyone() -> list[int]:
    """Return all processes that can be seen; none where there is no ``/proc``."""
    try:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def started(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 if it is over, reaped or not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0
    state, *fields = text.rpartition(")")[2].split()
    return 0 if state in "ZX" else int(fields[18])


def memory(pids: Iterable[int]) -> int:
    """Return the bytes of anonymous and shared memory that processes hold in RAM (files mapped in do not count)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
                if line.startswith(_COUNTED):
                    total += int(line.split()[1]) * 1024
    return total


def threads(pids: Iterable[int]) -> int:
    """Return how many threads processes have: what the kernel counts as processes where it limits them."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 -- only their number
    return total


def owners() -> set[int]:
    """Return whose processes run, as uids; quick, for it is asked at every start."""
    found: set[int] = set()
    with contextlib.suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    found.add(entry.stat().st_uid)
    return found


def owned(uid: int) -> list[int]:
    """Return the processes of a user that still run."""
    found: list[int] = []
    for pid in everyone():
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
            if f"\nUid:\t{uid}\t" in text and "\nState:\tZ" not in text:
                found.append(pid)
    return found


def marked(variable: str) -> list[int]:
    """Return the processes whose environment at start held ``NAME=value`` (as far as we may look)."""
    wanted = variable.encode()
    found: list[int] = []
    for pid in everyone():
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
