"""strace's record, read: bytes in, system calls out. Pure; whatever arrives, it goes on with the next line.

A call that another one interrupted stands in two lines (``<unfinished ...>``, ``<... NAME resumed>``); strings are
quoted as in C and may be cut; ``-y`` puts the path of a descriptor behind it, in angle brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

_LONGEST_LINE: Final = 64 * 1024
_MOST_UNFINISHED: Final = 4096
_LINE: Final = re.compile(r"(\d+)\s+(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)\Z", re.DOTALL)
_UNFINISHED: Final = " <unfinished ...>"
_RESULT: Final = re.compile(r"\)\s*= (-?\d+|\?)(?:<((?:[^<>\\]|\\.)*)>)?(?: ([A-Z][A-Z0-9_]*))?")
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.DOTALL)
_ANNOTATION: Final = re.compile(r"\A(?:AT_FDCWD|-?\d+)<((?:[^<>\\]|\\.)*)>\Z")
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_PLAIN: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One system call: its arguments as strace writes them; ``result`` is ``None`` where the process ended in it.

    ``error`` is the name of its error (``ENOENT``); ``path`` that of the descriptor it returned.
    """

    pid: int
    name: str
    arguments: tuple[str, ...]
    result: int | None = None
    error: str = ""
    path: str = ""


class Trace:
    """Reads a record piece by piece; what it keeps between two pieces is bounded."""

    def __init__(self) -> None:
        self._rest = b""
        self._dropping = False
        self._unfinished: dict[int, tuple[str, str]] = {}

    def feed(self, data: bytes) -> Iterator[Call]:
        """Yield the calls that are complete with this piece."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._dropping:
                self._dropping = False  # the end of a line that was too long
            elif (call := self._line(line.decode("utf-8", "surrogateescape"))) is not None:
                yield call
        if len(self._rest) > _LONGEST_LINE:
            self._rest, self._dropping = b"", True

    def _line(self, line: str) -> Call | None:
        found = _LINE.match(line)
        if found is None:
            return None
        pid, resumed, name, rest = int(found[1]), found[2], found[3], found[4]
        if resumed:
            begun = self._unfinished.pop(pid, None)
            if begun is None or begun[0] != resumed:
                return None
            name, rest = resumed, begun[1] + rest
        if rest.endswith(_UNFINISHED):
            self._unfinished[pid] = (name, rest.removesuffix(_UNFINISHED))
            if len(self._unfinished) > _MOST_UNFINISHED:
                del self._unfinished[next(iter(self._unfinished))]
            return None
        return _call(pid, name, rest)


def _call(pid: int, name: str, rest: str) -> Call | None:
    arguments, end = _split(rest)
    result = _RESULT.match(rest, end)
    if result is None:
        return None
    number = None if result[1] == "?" else int(result[1])
    path = text(unescaped(result[2])) if result[2] else ""
    return Call(pid=pid, name=name, arguments=arguments, result=number, error=result[3] or "", path=path)


def _split(rest: str) -> tuple[tuple[str, ...], int]:
    """Split arguments at their commas; return them and where the closing bracket is."""
    found: list[str] = []
    depth, begin, at = 0, 0, 0
    while at < len(rest):
        sign = rest[at]
        if sign == '"':
            string = _STRING.match(rest, at)
            at = string.end() if string else len(rest)
            continue
        if sign == "<" and depth == 0:
            closing = rest.find(">", at)
            at = closing if closing >= 0 else at
        elif sign in "([{":
            depth += 1
        elif sign in "]}" or (sign == ")" and depth):
            depth -= 1
        elif sign == ")":
            break
        elif sign == "," and depth == 0:
            found.append(rest[begin:at].strip())
            begin = at + 1
        at += 1
    last = rest[begin:at].strip()
    return (*found, *([last] if last or found else [])), at


def strings(argument: str) -> list[bytes]:
    """Return the quoted strings of an argument, in order; one that was cut is as long as it was written."""
    return [unescaped(found[1]) for found in _STRING.finditer(argument)]


def annotation(argument: str) -> str:
    """Return the path behind a descriptor, or nothing."""
    found = _ANNOTATION.match(argument)
    return text(unescaped(found[1])) if found else ""


def unescaped(quoted: str) -> bytes:
    """Return what a string of strace stands for."""
    raw = quoted.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(lambda found: _byte(found[1]), raw) if b"\\" in raw else raw


def text(raw: bytes) -> str:
    """Return bytes as text that can be kept and shown."""
    return raw.decode("utf-8", "backslashreplace")


def _byte(escape: bytes) -> bytes:
    if escape[:1].isdigit():
        return bytes([int(escape, 8) & 0xFF])
    if escape[:1] == b"x" and len(escape) > 1:
        return bytes([int(escape[1:], 16)])
    return _PLAIN.get(escape, escape)
