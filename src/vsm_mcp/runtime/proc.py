"""What ``/proc`` says about processes: pure functions over its texts, and below them those that read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_ENOUGH: Final = 4096  # bytes: no line of a stat is longer
ZOMBIE: Final = "Z"


class Stat(NamedTuple):
    """One process at one moment. ``cpu_seconds`` are its own and those of its children that have ended.

    ``started`` is in clock ticks since boot: with the id it names a process for good.
    """

    pid: int
    state: str
    parent: int
    cpu_seconds: float
    threads: int
    started: int
    rss_bytes: int


def parse_stat(text: bytes) -> Stat:
    """Read ``/proc/PID/stat``. The name of the program may hold anything, closing brackets and spaces included.

    Raises :class:`ValueError` for anything else.
    """
    head, _, tail = text.rpartition(b")")
    fields = tail.split()
    if len(fields) < 22:
        raise ValueError("this is no stat of a process")
    return Stat(
        pid=int(head.partition(b" ")[0]),
        state=fields[0].decode(),
        parent=int(fields[1]),
        cpu_seconds=sum(map(int, fields[11:15])) / _TICKS,
        threads=int(fields[17]),
        started=int(fields[19]),
        rss_bytes=int(fields[21]) * _PAGE,
    )


def parse_pss(text: bytes) -> int:
    """Return the bytes of ``Pss`` in ``/proc/PID/smaps_rollup``; 0 where there are none."""
    for line in text.splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0


class Table:
    """All processes of a machine at one moment."""

    def __init__(self, stats: Iterable[Stat] = ()) -> None:
        self.stats: dict[int, Stat] = {}
        self._below: dict[int, list[int]] = {}
        for stat in stats:
            self.add(stat)

    def add(self, stat: Stat) -> None:
        """Take in one process; each is taken in once."""
        self.stats[stat.pid] = stat
        self._below.setdefault(stat.parent, []).append(stat.pid)

    def tree(self, pid: int, daemon: int) -> tuple[int, ...]:
        """Return what belongs to the program ``pid``: the child of ``daemon`` that leads to it, and all below that.

        So what holds the program (the sandbox's own processes) counts as well, and whatever it left to the first
        process of its namespace. A program that ``daemon`` does not lead to is counted with what is below it alone.
        """
        root, up = pid, pid
        while (stat := self.stats.get(up)) is not None and stat.parent not in (0, up):
            if stat.parent == daemon:
                root = up
                break
            up = stat.parent
        found: list[int] = []
        front = [root] if root in self.stats else []
        while front:
            found += front
            front = [child for parent in front for child in self._below.get(parent, ())]
        return tuple(found)

    def zombies(self, daemon: int) -> frozenset[tuple[int, int]]:
        """Return the dead children of ``daemon`` that nobody has waited for, each as (id, start)."""
        children = (self.stats[pid] for pid in self._below.get(daemon, ()))
        return frozenset((stat.pid, stat.started) for stat in children if stat.state == ZOMBIE)


# --- reading ---------------------------------------------------------------------------------------------------------


def processes() -> Iterator[Stat]:
    """Yield every process of the machine that is there when it is its turn."""
    for name in _names("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                yield parse_stat(_read(f"/proc/{name}/stat", _ENOUGH))


def open_files(pids: Iterable[int]) -> int | None:
    """Return how many files the processes have open; ``None`` if we may look into none of them."""
    counts = []
    for pid in pids:
        with contextlib.suppress(OSError):
            counts.append(len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 - a path object for each costs more
    return sum(counts) if counts else None


def sockets(pids: Iterable[int]) -> int | None:
    """Return how many sockets the processes have open; ``None`` if we may look into none of them."""
    seen, inodes = False, set()
    for pid in pids:
        for name in _names(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target, seen = os.readlink(f"/proc/{pid}/fd/{name}"), True  # noqa: PTH115 - as above
                if target.startswith("socket:"):
                    inodes.add(target)
    return len(inodes) if seen else None


def pss(pids: Iterable[int]) -> int | None:
    """Return the bytes that the processes hold, what is shared counted in parts; ``None`` if nothing can be read.

    The kernel walks all their pages for it: milliseconds for each process.
    """
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            found.append(parse_pss(_read(f"/proc/{pid}/smaps_rollup", _ENOUGH)))
    return sum(found) if any(found) else None


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - as above
    except OSError:
        return []


def _read(path: str, most: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)
