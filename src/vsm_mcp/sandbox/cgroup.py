"""Limits of memory, processes and CPU by control group, version 1 or 2; finding one, making one, sweeping dead ones.

Layout: ``<root>/vsm-mcp.<pid>.<start>/<name>-<n>`` where pid and start time name the daemon, so that the next one can
tell what a dead daemon left behind. Everything here is blocking file work of a few milliseconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

PREFIX: Final = "vsm-mcp."
_CONTROLLERS: Final = ("memory", "pids")  # without both of them there is no group
_OPTIONAL: Final = "cpu"
_PERIOD_MICROSECONDS: Final = 100_000
_LEAST_QUOTA_MICROSECONDS: Final = 1000  # the kernel takes no less
_NO_QUOTA: Final = {1: "-1", 2: "max"}
_LEAF: Final = "vsm-mcp-daemon"


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where groups can be made: the same directory for all in version 2, one per controller in version 1.

    ``cpu`` is empty where that controller cannot be had.
    """

    version: int
    memory: str
    pids: str
    cpu: str = ""

    @property
    def roots(self) -> tuple[str, ...]:
        """The directories, each once; the first one holds the memory controller."""
        return tuple(dict.fromkeys(path for path in (self.memory, self.pids, self.cpu) if path))


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a group is limited to from its start on."""

    memory_bytes: int
    processes: int


class Group:
    """The limits of one process tree. ``directories`` holds one path per hierarchy."""

    def __init__(self, layout: Layout, name: str) -> None:
        self._version = layout.version
        self._memory = Path(layout.memory, daemon_name(), name)
        self._pids = Path(layout.pids, daemon_name(), name)
        self._cpu = Path(layout.cpu, daemon_name(), name) if layout.cpu else None
        self.directories = tuple(Path(root, daemon_name(), name) for root in layout.roots)

    def create(self, bounds: Bounds) -> None:
        """Make the group and set its limits. Raises :class:`OSError`."""
        for directory in self.directories:
            directory.parent.mkdir(mode=0o755, exist_ok=True)
            if self._version == 2:
                _delegate(directory.parent)
            directory.mkdir(mode=0o755, exist_ok=True)
        if self._version == 2:
            _write(self._memory / "memory.max", bounds.memory_bytes)
            _try_write(self._memory / "memory.swap.max", 0)
            _try_write(self._memory / "memory.oom.group", 1)
        else:
            _write(self._memory / "memory.limit_in_bytes", bounds.memory_bytes)
            _try_write(self._memory / "memory.memsw.limit_in_bytes", bounds.memory_bytes)
        _write(self._pids / "pids.max", bounds.processes)

    def limit_cpu(self, cpus: float) -> None:
        """Allow so many cores from now on (0: no limit); what was not used may be spent in a burst.

        Not a part of :meth:`create`: a start that is held to a quota takes longer than all of the sandbox.
        Raises :class:`OSError`.
        """
        if self._cpu is None:
            return
        quota, burst = ("cpu.max", "cpu.max.burst") if self._version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_burst_us")
        _try_write(self._cpu / burst, 0)  # it may never be more than the quota
        if cpus <= 0:
            _write(self._cpu / quota, _NO_QUOTA[self._version])
            return
        share = max(round(cpus * _PERIOD_MICROSECONDS), _LEAST_QUOTA_MICROSECONDS)
        if self._version == 2:
            _write(self._cpu / quota, f"{share} {_PERIOD_MICROSECONDS}")
        else:
            _write(self._cpu / "cpu.cfs_period_us", _PERIOD_MICROSECONDS)
            _write(self._cpu / quota, share)
        _try_write(self._cpu / burst, share)

    def processes(self) -> list[int]:
        """Return the processes in the group; none once it is removed."""
        with contextlib.suppress(OSError, ValueError):
            return [int(line) for line in (self._pids / "cgroup.procs").read_text().split()]
        return []

    def kill(self) -> None:
        """Kill all of it, also what forks faster than it can be listed: from now on nothing in it can."""
        _try_write(self._pids / "pids.max", 0)
        for directory in self.directories:
            _kill(directory)

    def change(self, bounds: Bounds) -> None:
        """Set other limits while the group is in use.

        Raises :class:`OSError`, also where more memory is in use than shall be allowed: nobody is killed for that.
        """
        if self._version == 2:
            if int((self._memory / "memory.current").read_text()) > bounds.memory_bytes:
                raise OSError(errno.EBUSY, "more memory is in use")
            _write(self._memory / "memory.max", bounds.memory_bytes)
        else:
            names = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]  # the second is never below the first
            now = int((self._memory / names[0]).read_text())
            for name in names if bounds.memory_bytes < now else reversed(names):
                if (self._memory / name).exists():
                    _write(self._memory / name, bounds.memory_bytes)
        _write(self._pids / "pids.max", bounds.processes)

    def attach(self, pid: int) -> None:
        """Move a process in; what it starts from now on is in too. Raises :class:`OSError`."""
        for directory in self.directories:
            _write(directory / "cgroup.procs", pid)

    def oom_killed(self) -> bool:
        """Whether the kernel killed something in the group for want of memory."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        return _fields(self._memory / name).get("oom_kill", 0) > 0

    def peak_memory(self) -> int | None:
        """Return the most bytes the group held at once, or ``None`` where the kernel does not count."""
        name = "memory.peak" if self._version == 2 else "memory.max_usage_in_bytes"
        try:
            return int((self._memory / name).read_text())
        except (OSError, ValueError):
            return None

    def remove(self) -> bool:
        """Kill what is left and remove the group; false while something of it is still dying."""
        gone = [_remove(directory) for directory in self.directories]
        return all(gone)


def start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot (field 22 of ``/proc/PID/stat``); 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[19])


def daemon_name() -> str:
    """Return what the directories of this daemon are called, so that the next one can tell when it is gone."""
    return f"{PREFIX}{os.getpid()}.{start_time(os.getpid())}"


def alive(name: str) -> bool:
    """Whether the daemon of that name runs; what is no such name belongs to somebody."""
    try:
        pid, start = (int(part) for part in name.removeprefix(PREFIX).split("."))
    except ValueError:
        return True
    return start_time(pid) == start


def find(proc: Path = Path("/proc/self")) -> Layout | None:
    """Return where groups can probably be made; only :meth:`Group.create` and ``attach`` prove it."""
    mounts = _mounts(proc / "mountinfo")
    first = {name: mounts.get(f"1:{name}", "") for name in _CONTROLLERS}
    if all(first.values()):
        usable = all(os.access(path, os.W_OK) for path in first.values())
        cpu = mounts.get(f"1:{_OPTIONAL}", "")
        cpu = cpu if cpu and os.access(cpu, os.W_OK) else ""
        return Layout(version=1, memory=first["memory"], pids=first["pids"], cpu=cpu) if usable else None
    root = mounts.get("2:")
    if not root:
        return None
    for directory in _candidates(Path(root), proc / "cgroup"):
        if os.access(directory, os.W_OK) and _has_controllers(directory):
            _delegate(directory)
            cpu = str(directory) if _OPTIONAL in _controllers(directory / "cgroup.subtree_control") else ""
            return Layout(version=2, memory=str(directory), pids=str(directory), cpu=cpu)
    return None


def sweep(layout: Layout) -> int:
    """Remove the groups of daemons that are gone; return how many."""
    removed = 0
    for root in layout.roots:
        for base in _children(Path(root)):
            if base.name.startswith(PREFIX) and not alive(base.name):
                removed += sum(_remove(group) for group in _children(base))
                _remove(base)
    return removed


def tidy(layout: Layout, unused: Callable[[str], bool]) -> int:
    """Remove those groups of this process whose names are ``unused``; return how many."""
    names = {
        group.name for root in layout.roots for group in _children(Path(root, daemon_name())) if unused(group.name)
    }
    gone = [_remove(Path(root, daemon_name(), name)) for name in names for root in layout.roots]
    return len(names) if all(gone) else 0


def leave(layout: Layout) -> None:
    """Remove the directory that holds this process's groups, once it holds none."""
    for root in layout.roots:
        with contextlib.suppress(OSError):
            Path(root, daemon_name()).rmdir()


def _candidates(root: Path, cgroup: Path) -> list[Path]:
    """Version 2: the hierarchy's root for root, else the group we were given (needs ``Delegate=yes``)."""
    own = ""
    with contextlib.suppress(OSError):
        for line in cgroup.read_text().splitlines():
            if line.startswith("0::"):
                own = line[3:].lstrip("/").removesuffix(f"/{_LEAF}")
    found = [root / own] if own else []
    return [root, *found] if os.geteuid() == 0 else found


def _has_controllers(directory: Path) -> bool:
    """Whether children of ``directory`` get (or can be given) the memory and pids controllers."""
    if _controllers(directory / "cgroup.subtree_control") >= set(_CONTROLLERS):
        return True
    return _controllers(directory / "cgroup.controllers") >= set(_CONTROLLERS) and _make_room(directory)


def _make_room(directory: Path) -> bool:
    """Version 2 allows no processes beside subgroups: move our own, if all in the group are ours, into a leaf."""
    leaf = directory / _LEAF
    try:
        processes = [int(line) for line in (directory / "cgroup.procs").read_text().split()]
        if any(pid != os.getpid() for pid in processes):
            return False
        leaf.mkdir(exist_ok=True)
        for pid in processes:
            _write(leaf / "cgroup.procs", pid)
        _delegate(directory)
    except OSError:
        return False
    return True


def _delegate(directory: Path) -> None:
    """Let the groups below ``directory`` have our controllers; CPU where it is to be had. Raises :class:`OSError`."""
    control = directory / "cgroup.subtree_control"
    if not _controllers(control) >= set(_CONTROLLERS):
        _write(control, " ".join(f"+{name}" for name in _CONTROLLERS))
    if _OPTIONAL not in _controllers(control) and _OPTIONAL in _controllers(directory / "cgroup.controllers"):
        _try_write(control, f"+{_OPTIONAL}")


def _controllers(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()


def _mounts(path: Path) -> dict[str, str]:
    """Return the mount point of each hierarchy: ``1:memory``, ``1:pids``, ``2:``."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in path.read_text("utf-8", "replace").splitlines():
            left, _, right = line.partition(" - ")
            kind, *_, options = right.split(" ")
            point = left.split(" ")[4].replace("\\040", " ")
            if kind == "cgroup2":
                found.setdefault("2:", point)
            elif kind == "cgroup":
                for name in set(options.split(",")) & {*_CONTROLLERS, _OPTIONAL}:
                    found.setdefault(f"1:{name}", point)
    return found


def _remove(directory: Path) -> bool:
    _kill(directory)
    deadline = time.monotonic() + 0.05
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        else:
            return True


def _kill(directory: Path) -> None:
    if _try_write(directory / "cgroup.kill", 1):
        return
    with contextlib.suppress(OSError, ValueError):
        for line in (directory / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(line), signal.SIGKILL)


def _children(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if path.is_dir()]
    except OSError:
        return []


def _fields(path: Path) -> dict[str, int]:
    found = {}
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if value.isdigit():
                found[name] = int(value)
    return found


def _write(path: Path, value: object) -> None:
    with path.open("w") as file:
        file.write(str(value))


def _try_write(path: Path, value: object) -> bool:
    try:
        if not path.exists():
            return False
        _write(path, value)
    except OSError:
        return False
    return True
