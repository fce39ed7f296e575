"""Descriptors for a program that is started by another one, which must not hold them: strace, around the sandbox.

strace would inherit all that its program inherits and keep it open, so that no pipe between bubblewrap and us would
ever end. So strace inherits one socket, and this file, run by a bare interpreter, takes the descriptors out of it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from collections.abc import Sequence

_ABOVE_ALL = 1000
_MOST = 64


def hand(descriptors: Sequence[int]) -> socket.socket:
    """Return a socket, to be inherited, in which copies of ``descriptors`` wait under their numbers."""
    ours, theirs = socket.socketpair()
    with ours:
        socket.send_fds(ours, [" ".join(map(str, descriptors)).encode()], list(descriptors))
    return theirs


def prelude(python: str, taken_from: int, *, keep_environment: bool) -> list[str]:
    """Return the arguments to put before a program (its file, then its argv): it gets what waits in the socket."""
    return [python, "-I", "-S", __file__, str(taken_from), str(int(keep_environment))]


def main(arguments: list[str]) -> None:
    """Take the descriptors and become the program."""
    number, keep, file, *argv = arguments
    with socket.socket(fileno=int(number)) as given:
        said, found, _, _ = socket.recv_fds(given, 4096, _MOST)
    apart = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL) for descriptor in found]
    for descriptor in found:
        os.close(descriptor)
    for descriptor, wanted in zip(apart, said.split(), strict=True):
        os.dup2(descriptor, int(wanted))
    if int(keep):
        os.execv(file, argv)  # noqa: S606
    os.execve(file, argv, {})  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
