"""The walls of the reduced tier: a process puts them up around itself, then becomes the server.

Where no namespace can be had, Landlock holds back what is opened, and the call filter refuses what Landlock does not
know of, every socket first. There is no way back from either, for it and for all it starts.

This file is also the program that does it (:func:`prelude`), run by a bare interpreter: it imports next to nothing.
"""
# ruff: noqa: PTH101, PTH112, PTH120, PTH123 -- pathlib would double its start-up

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` adds costs more than all the rest
import ctypes
import errno
import marshal
import os
import resource
import stat
import struct
import sys

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without the import
if TYPE_CHECKING:
    from typing import Any

LEAST_ABI = 3
"""Landlock before that (Linux 6.2) lets anybody truncate any file of the same owner."""
SIGNALS_ABI = 6
"""From here on (Linux 6.12) signals to other processes are held back, too."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every machine
_VERSION_FLAG, _BENEATH = 1, 1
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
_MODE_FILTER = 2
_LAST_CAPABILITY = 63
_FAILED = 125

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


def abi() -> int:
    """Return the version of Landlock that this kernel offers; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    version: int = ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    return max(0, version)


def handled(version: int) -> tuple[int, ...]:
    """Return what is refused unless a rule allows it: of files, of TCP, and of other processes (as far as known)."""
    files = (1 << 13) - 1
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        files |= right if version >= since else 0
    if version < 4:
        return (files,)
    return (files, _BIND_AND_CONNECT_TCP) + ((_ABSTRACT_SOCKETS_AND_SIGNALS,) if version >= SIGNALS_ABI else ())


def allowed(kind: str, version: int, *, directory: bool) -> int:
    """Return the rights on one path: ``ro``, ``rw`` (everything but new devices), or ``device``."""
    (files, *_) = handled(version)
    rights = {
        "ro": EXECUTE | READ_FILE | READ_DIR,
        "rw": files & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV),
        "device": WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV,
    }[kind]
    return rights & files & (files if directory else _OF_FILES)


def prelude(python: str, control: int, plan: int) -> list[str]:
    """Return the program: ``control`` is a socket, ``plan`` a file with a marshalled mapping, both to be inherited.

    It waits for a byte, does what the plan says, and becomes the server; ``control`` then ends without a word. What
    went wrong is said on it otherwise.
    """
    return [python, "-I", "-S", __file__, str(control), str(plan)]


def main(arguments: list[str]) -> int:
    """See :func:`prelude`; ``arguments`` are the two descriptors."""
    control, file = (int(argument) for argument in arguments)
    os.set_inheritable(control, False)
    with open(file, "rb") as opened:
        plan = marshal.load(opened)  # noqa: S302 -- from our own daemon, through an anonymous file
    if os.read(control, 1) != b"\n":
        return _FAILED  # the daemon is gone, or gave up
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        _enclose(libc, plan)
        if plan["canary"]:
            _prove(libc, plan["canary"], plan["parent"])
        for ignored in (_signal.SIGPIPE, _signal.SIGXFSZ):  # by this interpreter, which would be inherited
            _signal.signal(ignored, _signal.SIG_DFL)
        os.chdir(plan["cwd"])
        os.execvpe(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606
    except OSError as error:
        named = error.filename or plan["argv"][0]
        os.write(control, f"{os.fsdecode(named)}: {error.strerror or error}".encode())
    return _FAILED


def _enclose(libc: ctypes.CDLL, plan: dict[str, Any]) -> None:
    """Everything that cannot be undone, in the only order that works."""
    for kind, limit in plan["limits"]:
        _limit(kind, limit)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    ruleset = _ruleset(libc, plan["abi"], plan["paths"])
    if plan["uid"] >= 0:
        _become(libc, plan["uid"])
        for path, writable in plan["demands"]:
            _check_open(path, plan["uid"], writable=writable)
    _prctl(libc, _PR_SET_PDEATHSIG, _signal.SIGKILL)  # a change of the uid clears it
    if os.getppid() != plan["parent"]:
        raise ProcessLookupError(errno.ESRCH, "the daemon is gone")
    _call(libc, _RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    for program in plan["filters"]:
        filter_ = _Filter(length=len(program) // 8, program=program)
        _prctl(libc, _PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(filter_))


def _limit(kind: int, limit: int) -> None:
    """Set a limit for good; what cannot be changed any more may be as it should be."""
    before = resource.getrlimit(kind)
    hard = limit if before[1] == resource.RLIM_INFINITY else min(limit, before[1])
    if before == (hard, hard):
        return
    try:
        resource.setrlimit(kind, (hard, hard))
    except ValueError as error:  # what Python makes of EPERM
        raise PermissionError(errno.EPERM, f"limit {kind} cannot be set ({error})") from error


def _ruleset(libc: ctypes.CDLL, version: int, paths: list[tuple[str, str]]) -> int:
    """Return a ruleset that allows ``paths``; one that does not exist on this machine is left out."""
    rights = handled(version)
    attributes = (ctypes.c_uint64 * len(rights))(*rights)
    ruleset = _call(libc, _CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes)), 0)
    for path, kind in paths:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        rule = struct.pack("=Qi", allowed(kind, version, directory=directory), descriptor)
        _call(libc, _ADD_RULE, ruleset, _BENEATH, rule, 0)
        os.close(descriptor)
    return ruleset


def _become(libc: ctypes.CDLL, uid: int) -> None:
    """Give up root for good: another user, no groups, no capabilities, none to be had."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            _prctl(libc, _PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == errno.EINVAL:  # this kernel has no more
                break
            raise
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _check_open(path: str, uid: int, *, writable: bool) -> None:
    """Raise :class:`PermissionError` with the name of what keeps the server's user from ``path``."""
    mode = os.R_OK | (os.X_OK if os.path.isdir(path) else 0) | (os.W_OK if writable else 0)
    if os.access(path, mode):
        return
    closed = os.path.realpath(path)
    while (above := os.path.dirname(closed)) != closed and not os.access(above, os.X_OK):
        closed = above
    verb = "write" if writable and closed == os.path.realpath(path) else "enter" if closed != path else "read"
    raise PermissionError(errno.EACCES, f"the server's own user (uid {uid}) may not {verb} {closed}", path)


def _prove(libc: ctypes.CDLL, canary: str, parent: int) -> None:
    """Print what is refused, each call by a name and its answer; ``canary`` is open to all but for these walls."""
    attempts = (
        ("CanaryRead", lambda: os.open(canary, os.O_RDONLY)),
        ("CanaryTruncate", lambda: os.truncate(canary, 0)),
        ("CanaryMode", lambda: os.chmod(canary, 0o600)),
        ("Signal", lambda: os.kill(parent, 0)),
        ("Socket", lambda: _checked(libc.socket(1, 1, 0), "socket")),
    )
    for name, attempt in attempts:
        try:
            attempt()
            answer = "ok"
        except OSError as error:
            answer = errno.errorcode.get(error.errno or 0, "?")
        os.write(1, f"{name}:\t{answer}\n".encode())


def _prctl(libc: ctypes.CDLL, option: int, *values: int) -> None:
    given = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _checked(libc.prctl(option, *given), f"prctl {option}")


def _call(libc: ctypes.CDLL, call: int, *arguments: object) -> int:
    return _checked(libc.syscall(call, *arguments), "Landlock")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
