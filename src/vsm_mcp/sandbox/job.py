"""Windows: a job object, which ends all that a program started together with it, or with us. Never run by us.

It is no sandbox: files, network and system calls stay open, so the tier is ``none``. What it does hold is memory, the
number of processes, CPU, and that nothing outlives its end: a process cannot leave its job. It stands where a
control group stands elsewhere, with the same methods.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

from vsm_mcp.sandbox.cgroup import Bounds

_PROCESS_LIST, _EXTENDED_LIMITS, _CPU_RATE = 3, 9, 15  # JOBOBJECTINFOCLASS
_ACTIVE_PROCESSES, _JOB_MEMORY, _KILL_ON_JOB_CLOSE = 0x8, 0x200, 0x2000  # JOB_OBJECT_LIMIT_*
_RATE_ENABLE, _RATE_HARD_CAP = 0x1, 0x4  # JOB_OBJECT_CPU_RATE_CONTROL_*
_SET_QUOTA_AND_TERMINATE: Final = 0x0101  # PROCESS_SET_QUOTA | PROCESS_TERMINATE
_MOST_LISTED: Final = 1024
_WHOLE_RATE: Final = 10_000


class Basic(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("per_process_time", ctypes.c_int64),
        ("per_job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("least_working_set", ctypes.c_size_t),
        ("most_working_set", ctypes.c_size_t),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
    )


class Limits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("basic", Basic),
        ("io", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


class Listed(ctypes.Structure):
    """JOBOBJECT_BASIC_PROCESS_ID_LIST."""

    _fields_ = (
        ("assigned", ctypes.c_uint32),
        ("listed", ctypes.c_uint32),
        ("pids", ctypes.c_size_t * _MOST_LISTED),
    )


class Rate(ctypes.Structure):
    """JOBOBJECT_CPU_RATE_CONTROL_INFORMATION."""

    _fields_ = (("flags", ctypes.c_uint32), ("rate", ctypes.c_uint32))


def kernel32() -> Any:
    """Return the system's library; there is one on Windows only."""
    return ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]


class Job:
    """One job object; ``kernel`` is :func:`kernel32`. Its last handle is ours: closed, or our end, it ends with it."""

    def __init__(self, kernel: Any, memory_bytes: int, processes: int) -> None:
        """Make it. Raises :class:`OSError`."""
        kernel.CreateJobObjectW.restype = kernel.OpenProcess.restype = ctypes.c_void_p
        self._kernel = kernel
        self._handle = ctypes.c_void_p(_held(kernel.CreateJobObjectW(None, None), "CreateJobObjectW"))
        self.change(Bounds(memory_bytes=memory_bytes, processes=processes))

    def change(self, bounds: Bounds) -> None:
        """Set its limits, also while it is in use. Raises :class:`OSError`."""
        limits = Limits(job_memory=bounds.memory_bytes)
        limits.basic.flags = _ACTIVE_PROCESSES | _JOB_MEMORY | _KILL_ON_JOB_CLOSE
        limits.basic.processes = bounds.processes
        self._set(_EXTENDED_LIMITS, limits)

    def attach(self, pid: int) -> None:
        """Put a process in; what it starts from now on is in too. Raises :class:`OSError`."""
        opened = _held(self._kernel.OpenProcess(_SET_QUOTA_AND_TERMINATE, False, pid), "OpenProcess")
        process = ctypes.c_void_p(opened)
        try:
            _held(self._kernel.AssignProcessToJobObject(self._handle, process), "AssignProcessToJobObject")
        finally:
            self._kernel.CloseHandle(process)

    def limit_cpu(self, cpus: float) -> None:
        """Allow so many cores from now on; 0: no limit. Raises :class:`OSError`."""
        if cpus > 0:
            share = cpus / (self._kernel.GetActiveProcessorCount(0xFFFF) or 1)
            rate = min(max(round(share * _WHOLE_RATE), 1), _WHOLE_RATE)
            self._set(_CPU_RATE, Rate(flags=_RATE_ENABLE | _RATE_HARD_CAP, rate=rate))

    def processes(self) -> list[int]:
        """Return the processes in it, as far as the list goes."""
        found = self._get(_PROCESS_LIST, Listed())
        return list(found.pids[: found.listed])

    def oom_killed(self) -> bool:
        """Windows refuses memory beyond the limit; it kills nothing for it."""
        return False

    def peak_memory(self) -> int | None:
        """Return the most bytes it held at once."""
        return int(self._get(_EXTENDED_LIMITS, Limits()).peak_job_memory) or None

    def kill(self) -> None:
        """End all in it, at once."""
        self._kernel.TerminateJobObject(self._handle, 1)

    def remove(self) -> bool:
        """Give it back; what is still in it ends."""
        return bool(self._kernel.CloseHandle(self._handle))

    def _set(self, kind: int, value: ctypes.Structure) -> None:
        size = ctypes.sizeof(value)
        done = self._kernel.SetInformationJobObject(self._handle, kind, ctypes.byref(value), size)
        _held(done, "SetInformationJobObject")

    def _get(self, kind: int, value: Any) -> Any:
        self._kernel.QueryInformationJobObject(self._handle, kind, ctypes.byref(value), ctypes.sizeof(value), None)
        return value


def _held(result: Any, what: str) -> Any:
    if not result:
        raise OSError(f"{what} failed")
    return result
