"""What a process used: CPU time, memory; and which process listens on a port."""

from __future__ import annotations

from pathlib import Path

import psutil


def cpu_seconds(pid: int | None) -> float | None:
    """Return user and system time of a process with all its threads; ``None`` where it cannot be read.

    Linux counts nanoseconds of each living thread in ``schedstat``; elsewhere it is what the system gives, often
    hundredths of a second.
    """
    if pid is None:
        return None
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        nanoseconds = sum(int((thread / "schedstat").read_bytes().split(b" ", 1)[0]) for thread in threads)
        if nanoseconds:
            return nanoseconds / 1e9
    except (OSError, ValueError):  # not Linux, not compiled in, or the thread has just ended
        pass
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


def memory_bytes(pid: int | None) -> int | None:
    """Return the resident memory of a process; ``None`` where it cannot be read."""
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid is not None else None
    except psutil.Error:
        return None


def listening_on(port: int) -> int | None:
    """Return the process that listens on a TCP port of this machine; ``None`` where the system does not say."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                return connection.pid
    except psutil.Error:  # macOS tells only root
        pass
    return None
