"""A program: enters the network namespace of a sandbox and hands out sockets that lie in it.

Run by a bare interpreter, for :mod:`~vsm_mcp.sandbox.egress.entrance`; it imports next to nothing. It waits for
the namespace on a socket, makes every address a local one (a route of type *local* for all of IPv4 and IPv6 on ``lo``),
and sends back, in this order: the UDP socket of the name server, one that sees what goes nowhere, and one TCP listener
for each port. Then it is gone: nothing of ours stays inside.

For :mod:`~vsm_mcp.sandbox.dialing` it changes nothing there, and sends sockets that are not connected yet.
"""

from __future__ import annotations

import _socket as socket  # the full one would double the start-up
import array
import ctypes
import fcntl
import os
import struct
import sys
import time

READY, READY_BLIND, FAILED = b"+", b"-", b"!"
"""The first byte of the answer: all sockets; all but the one that sees; none, and why."""
DIAL = "dial"
DNS_PORT = 53
MOST_SOCKETS = 80

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NS_GET_USERNS = 0xB701
_SIOCGIFFLAGS, _IFF_UP = 0x8913, 0x1
_PATIENCE_SECONDS, _PAUSE_SECONDS = 5.0, 0.0005
_BACKLOG = 128

_RTM_NEWROUTE, _REQUEST_ACK_CREATE = 24, 0x1 | 0x4 | 0x400
_RTA_OIF, _TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL = 4, 255, 3, 254, 2
_NLMSG_ERROR, _EEXIST = 2, 17

_ETH_P_ALL, _SO_ATTACH_FILTER = 0x0003, 26
# Classic BPF, from the network header on: packets that came in (not those going out: on lo each is seen twice) that are
# UDP, or TCP with SYN and without ACK; none to 127.0.0.0/8.
_ABS_B, _ABS_W, _IND_B, _HEADER_LENGTH = 0x30, 0x20, 0x50, 0xB1
_JUMP_EQUAL, _AND, _RETURN = 0x15, 0x54, 0x06
_PACKET_TYPE, _PACKET_HOST = 0xFFFFF004, 0
_ACCEPT, _DROP = 21, 22
_KEPT_BYTES = 96


def _jump(at: int, value: int, then: int, otherwise: int) -> tuple[int, int, int, int]:
    return (_JUMP_EQUAL, then - at - 1, otherwise - at - 1, value)


_FILTER = (
    (_ABS_W, 0, 0, _PACKET_TYPE),
    _jump(1, _PACKET_HOST, 2, _DROP),
    (_ABS_B, 0, 0, 0),
    (_AND, 0, 0, 0xF0),
    _jump(4, 0x40, 5, 14),
    (_ABS_B, 0, 0, 16),
    _jump(6, 127, _DROP, 7),
    (_ABS_B, 0, 0, 9),
    _jump(8, 17, _ACCEPT, 9),
    _jump(9, 6, 10, _DROP),
    (_HEADER_LENGTH, 0, 0, 0),
    (_IND_B, 0, 0, 13),
    (_AND, 0, 0, 0x12),
    _jump(13, 0x02, _ACCEPT, _DROP),
    _jump(14, 0x60, 15, _DROP),
    (_ABS_B, 0, 0, 6),
    _jump(16, 17, _ACCEPT, 17),
    _jump(17, 6, 18, _DROP),
    (_ABS_B, 0, 0, 40 + 13),
    (_AND, 0, 0, 0x12),
    _jump(20, 0x02, _ACCEPT, _DROP),
    (_RETURN, 0, 0, _KEPT_BYTES),
    (_RETURN, 0, 0, 0),
)


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


def wait_for_loopback() -> None:
    """Wait until ``lo`` is up: bubblewrap sets it up, and dies if somebody was faster."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while time.monotonic() < deadline:
        answer = fcntl.ioctl(probe.fileno(), _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        if struct.unpack("16xH14x", answer)[0] & _IFF_UP:
            probe.close()
            return
        time.sleep(_PAUSE_SECONDS)
    raise OSError(0, "lo did not come up")


def make_everything_local() -> None:
    """Route every address to ``lo``, as one of ours."""
    route(socket.AF_INET)
    try:
        route(socket.AF_INET6)
    except OSError:
        return  # a machine without IPv6: it leads nowhere then


def route(family: int) -> None:
    """Add the route ``local default dev lo`` (rtnetlink(7))."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    link.bind((0, 0))
    loopback = struct.pack("=HHI", 8, _RTA_OIF, socket.if_nametoindex("lo"))
    scope = _SCOPE_HOST if family == socket.AF_INET else 0
    what = struct.pack("=BBBBBBBBI", family, 0, 0, 0, _TABLE_LOCAL, _PROTOCOL_BOOT, scope, _TYPE_LOCAL, 0)
    head = struct.pack("=IHHII", 16 + len(what) + len(loopback), _RTM_NEWROUTE, _REQUEST_ACK_CREATE, 1, 0)
    link.send(head + what + loopback)
    kind, error = struct.unpack("=4xH10xi", link.recv(4096)[:20])
    link.close()
    if kind == _NLMSG_ERROR and error not in (0, -_EEXIST):
        raise OSError(-error, f"adding a route: {os.strerror(-error)}")


def name_server() -> socket.socket:
    """Return the socket on which names are asked for."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("127.0.0.1", DNS_PORT))
    return found


def watch() -> socket.socket:
    """Return a socket that sees each wish for a connection and each datagram."""
    found = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)  # deaf until it is bound
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in _FILTER))
    program = struct.pack("HL", len(_FILTER), ctypes.addressof(code))
    found.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    found.bind(("lo", _ETH_P_ALL))
    return found


def listener(port: int) -> socket.socket:
    """Return a socket that listens on a port of every address."""
    try:
        found = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        everywhere = "::"
    except OSError:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        everywhere = "0.0.0.0"  # noqa: S104 -- in a namespace that leads nowhere
    found.bind((everywhere, port))
    found.listen(_BACKLOG)
    return found


def _inherited(control: socket.socket) -> int:
    """Return the namespace that the daemon sends, or -1 if it is gone."""
    width = array.array("i").itemsize
    data, ancillary, _, _ = control.recvmsg(1, socket.CMSG_SPACE(width))
    descriptors = array.array("i")
    for _, _, content in ancillary:
        descriptors.frombytes(content[:width])
    return descriptors[0] if data and descriptors else -1


def main(arguments: list[str]) -> int:
    """Serve the socket whose descriptor is the first of ``arguments``.

    The others are the ports to listen on, or :data:`DIAL`, a family and how many sockets of it are wanted.
    """
    control = socket.socket(fileno=int(arguments[0]))
    namespace = _inherited(control)
    if namespace < 0:
        return 0
    try:
        enter(namespace)
        dials = arguments[1:2] == [DIAL]
        answer, sockets = to_connect(*map(int, arguments[2:])) if dials else to_serve(list(map(int, arguments[1:])))
    except OSError as error:
        control.send(FAILED + str(error.strerror or error).encode())
        return 1
    descriptors = array.array("i", [each.fileno() for each in sockets])
    control.sendmsg([answer], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    os._exit(0)  # nothing to tidy up, and somebody waits for the processor


def to_serve(ports: list[int]) -> tuple[bytes, list[socket.socket]]:
    """Make every address a local one; return the sockets that whoever leaves the sandbox meets."""
    wait_for_loopback()
    make_everything_local()
    sockets = [name_server()]
    answer = READY
    try:
        sockets.append(watch())
    except OSError:
        answer = READY_BLIND
    return answer, sockets + [listener(port) for port in ports]


def to_connect(family: int, count: int) -> tuple[bytes, list[socket.socket]]:
    """Return sockets for whoever wants to connect to a program in the sandbox."""
    return READY, [socket.socket(family, socket.SOCK_STREAM) for _ in range(min(count, MOST_SOCKETS))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
