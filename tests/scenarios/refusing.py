"""A program: has the kernel refuse namespaces and mounts, as a container with default options does, then runs another.

``refusing.py FILTER PROGRAM ARGS``; the filter is the sandbox's own, which refuses all that and little else.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2


class Filter(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


def main(path: str, *argv: str) -> None:
    """Set the filter and become the program."""
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))  # the filter lets nobody change it afterwards
    program = Path(path).read_bytes()
    libc, long = ctypes.CDLL(None), ctypes.c_ulong
    given = Filter(length=len(program) // 8, program=program)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, long(1), long(0), long(0), long(0)) == 0
    assert libc.prctl(PR_SET_SECCOMP, long(MODE_FILTER), ctypes.c_void_p(ctypes.addressof(given)), long(0)) == 0
    os.execvp(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
