"""The job object of Windows: the layout of what is handed over, and what a stand-in for the system is asked."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from vsm_mcp.sandbox import job

HANDLE, PROCESS = 77, 78


class Call:
    """A function of the system: it notes what it was given, and answers."""

    def __init__(self, name: str, kernel: Kernel, answer: int) -> None:
        self.restype: Any = ctypes.c_int
        self._name, self._kernel, self._answer = name, kernel, answer

    def __call__(self, *given: Any) -> int:
        plain = [bytes(value._obj) if hasattr(value, "_obj") else getattr(value, "value", value) for value in given]
        self._kernel.calls.append((self._name, *plain))
        return self._answer


class Kernel:
    """As much of kernel32 as is used."""

    def __init__(self, **answers: int) -> None:
        self.calls: list[tuple[Any, ...]] = []
        for name in ("SetInformationJobObject", "AssignProcessToJobObject", "TerminateJobObject", "CloseHandle"):
            setattr(self, name, Call(name, self, answers.get(name, 1)))
        self.QueryInformationJobObject = Call("QueryInformationJobObject", self, 1)
        self.CreateJobObjectW = Call("CreateJobObjectW", self, answers.get("CreateJobObjectW", HANDLE))
        self.OpenProcess = Call("OpenProcess", self, answers.get("OpenProcess", PROCESS))
        self.GetActiveProcessorCount = Call("GetActiveProcessorCount", self, 4)


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="the sizes are those of a 64-bit machine")
def test_layout_is_that_of_the_headers() -> None:
    assert ctypes.sizeof(job.Basic) == 64
    assert ctypes.sizeof(job.Limits) == 144
    assert ctypes.sizeof(job.Rate) == 8
    assert (job.Limits.io.offset, job.Limits.job_memory.offset, job.Limits.peak_job_memory.offset) == (64, 120, 136)
    assert job.Listed.pids.offset == 8


def test_life_of_a_job() -> None:
    kernel = Kernel()
    made = job.Job(kernel, 512, 7)
    made.attach(42)
    made.limit_cpu(0.5)
    made.limit_cpu(0)
    made.kill()
    assert made.remove()
    names = [call[0] for call in kernel.calls]
    assert names == [
        "CreateJobObjectW",
        "SetInformationJobObject",
        "OpenProcess",
        "AssignProcessToJobObject",
        "CloseHandle",
        "GetActiveProcessorCount",
        "SetInformationJobObject",
        "TerminateJobObject",
        "CloseHandle",
    ]
    limits = job.Limits.from_buffer_copy(kernel.calls[1][3])
    assert (limits.job_memory, limits.basic.processes, limits.basic.flags) == (512, 7, 0x2000 | 0x200 | 0x8)
    assert kernel.calls[3][1:] == (HANDLE, PROCESS)
    rate = job.Rate.from_buffer_copy(kernel.calls[6][3])
    assert (rate.flags, rate.rate) == (5, 1250)  # half of one of four cores, in hundredths of a percent
    assert kernel.calls[-1][1] == HANDLE


@pytest.mark.parametrize("failing", ["CreateJobObjectW", "SetInformationJobObject"])
def test_failure_is_named(failing: str) -> None:
    with pytest.raises(OSError, match=failing):
        job.Job(Kernel(**{failing: 0}), 512, 7)


def test_a_process_that_cannot_be_put_in_is_not_forgotten() -> None:
    kernel = Kernel(AssignProcessToJobObject=0)
    made = job.Job(kernel, 512, 7)
    with pytest.raises(OSError, match="AssignProcessToJobObject"):
        made.attach(42)
    assert kernel.calls[-1] == ("CloseHandle", PROCESS)
