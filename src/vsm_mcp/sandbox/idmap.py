"""Granted paths under a root daemon: the server's uid gets the rights of the path's owner, and nothing more.

Each server has a uid of its own, so it could not touch files of root or of a person. An *idmapped mount* (Linux 5.12)
swaps the owner's ids with the server's for one mount: what the server creates belongs to the owner on disk. The mounts
are made over the paths themselves in a mount namespace of the process that then becomes bubblewrap, so they end with
it, also on ``kill -9``.

This file is also the program that does it (:func:`prelude`), run by a bare interpreter: it imports next to nothing.
"""
# ruff: noqa: PTH116, PTH123 -- pathlib would double its start-up

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` adds costs more than all the rest
import ctypes
import os
import sys

_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE = 0x1
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_SYMLINKS = 0x04, 0x10
_MOUNT_ATTR_IDMAP = 0x00100000
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REC, _MS_SLAVE = 0x4000, 0x80000
_ALL_IDS = 2**32 - 1
_FAILED = 125


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


def prelude(python: str, uid: int, paths: list[str]) -> list[str]:
    """Return the arguments to put before a program (its file, then its argv).

    It then sees ``paths`` as their owner does, once it has become ``uid``.
    """
    return [python, "-I", "-S", __file__, str(uid), str(len(paths)), *paths]


def mapping(owner: int, server: int) -> str:
    """Return the lines for ``uid_map`` that swap two ids and leave all others (user_namespaces(7))."""
    if owner == server:
        return f"0 0 {_ALL_IDS}\n"
    low, high = sorted((owner, server))
    rows = [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
    rows.append((high + 1, high + 1, _ALL_IDS - high - 1))
    return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in rows if count > 0)


def _checked(libc: ctypes.CDLL, call: str, *arguments: object) -> int:
    result: int = getattr(libc, call)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def _userns(libc: ctypes.CDLL, uid_map: str, gid_map: str) -> int:
    """Return a descriptor of a user namespace with these maps; a child holds it until it is open."""
    up_read, up_write = os.pipe()
    down_read, down_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(up_write, b"+" if libc.unshare(_CLONE_NEWUSER) == 0 else b"-")
            os.close(down_write)
            os.read(down_read, 1)
        finally:
            os._exit(0)
    try:
        if os.read(up_read, 1) != b"+":
            raise OSError(1, "unshare: a user namespace was refused")
        for name, text in (("uid_map", uid_map), ("gid_map", gid_map)):
            with open(f"/proc/{child}/{name}", "w") as file:
                file.write(text)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        for descriptor in (up_read, up_write, down_read, down_write):
            os.close(descriptor)
        os.waitpid(child, 0)


def _map(libc: ctypes.CDLL, path: str, uid: int) -> int:
    """Return a detached copy of the mounts at ``path`` in which ``uid`` stands for the owner."""
    owner = os.stat(path)
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    tree = _checked(libc, "open_tree", _AT_FDCWD, os.fsencode(path), flags)
    attributes = _Attributes(set=_MOUNT_ATTR_IDMAP)
    attributes.userns = _userns(libc, mapping(owner.st_uid, uid), mapping(owner.st_gid, uid))
    size = ctypes.sizeof(attributes)
    _checked(
        libc,
        "mount_setattr",
        tree,
        b"",
        _AT_EMPTY_PATH | _AT_RECURSIVE,
        ctypes.byref(attributes),
        ctypes.c_size_t(size),
    )
    return tree


def main(arguments: list[str]) -> int:
    """Map the paths in a mount namespace of our own, then become the program, with an empty environment.

    ``arguments`` are those of :func:`prelude`, and the program's file and argv.
    """
    uid, count = int(arguments[0]), int(arguments[1])
    paths, program = arguments[2 : 2 + count], arguments[2 + count :]
    libc = ctypes.CDLL(None, use_errno=True)
    path, onto = "/", _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_SYMLINKS
    try:
        _checked(libc, "unshare", _CLONE_NEWNS)
        _checked(libc, "mount", None, b"/", None, _MS_REC | _MS_SLAVE, None)
        trees = []
        for path in paths:
            trees.append(_map(libc, path, uid))  # noqa: PERF401 -- the path is named when it fails
        for tree, path in zip(trees, paths, strict=True):
            _checked(libc, "move_mount", tree, b"", _AT_FDCWD, os.fsencode(path), onto)
    except (OSError, AttributeError) as error:
        sys.stderr.write(f"{path}: its file system or this kernel allows no idmapped mount ({error})\n")
        return _FAILED
    for ignored in (_signal.SIGPIPE, _signal.SIGXFSZ):  # by this interpreter, which the server would inherit
        _signal.signal(ignored, _signal.SIG_DFL)
    return os.execve(program[0], program[1:], {})  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
