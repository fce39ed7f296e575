"""A program: enters the network namespace of a sandbox and hands out TCP sockets that were made in it.

Run by a bare interpreter, for :mod:`~vsm_mcp.sandbox.dialing.dialer`; it imports next to nothing.
"""

from __future__ import annotations

import _socket as socket  # the full one would double the start-up
import array
import ctypes
import fcntl
import os
import sys

MADE, FAILED = b"+", b"!"
"""The first byte of the answer: here they are; there are none, and why."""
MOST: int = 64

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NS_GET_USERNS = 0xB701


def enter(namespace: int) -> None:
    """Enter a network namespace, by way of the user namespace that owns it unless that is our own."""
    libc = ctypes.CDLL(None, use_errno=True)
    owner = fcntl.ioctl(namespace, _NS_GET_USERNS)
    if os.fstat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino:  # noqa: PTH116 -- pathlib is slow to load
        _checked(libc.setns(owner, _CLONE_NEWUSER), "entering the user namespace")
    _checked(libc.setns(namespace, _CLONE_NEWNET), "entering the network namespace")


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def main(control: int, namespace: int, family: int, count: int) -> None:
    """Send ``count`` sockets of a ``family`` over ``control``."""
    ours = socket.socket(fileno=control)
    try:
        enter(namespace)
        made = [socket.socket(family, socket.SOCK_STREAM) for _ in range(min(count, MOST))]
    except OSError as error:
        ours.send(FAILED + str(error.strerror or error).encode())
        os._exit(1)
    descriptors = array.array("i", [each.fileno() for each in made])
    ours.sendmsg([MADE], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    os._exit(0)  # nothing to tidy up, and somebody waits for the processor


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
