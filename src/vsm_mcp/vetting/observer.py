"""System calls in, behaviour out: what a watched server read, wrote, reached and ran. Pure.

What every program does (its own files, the system's, its private home) is no behaviour and is left out.
"""

from __future__ import annotations

import os.path
import re
import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.sandbox.confinement import HOME, TMP, Confinement
from vsm_mcp.sandbox.egress.names import made_up
from vsm_mcp.sandbox.egress.rules import AllowList
from vsm_mcp.vetting.decoys import Decoys
from vsm_mcp.vetting.strace import Call, annotation, strings, text

_MOST: Final = 200
_LONGEST: Final = 300
_SYSTEM: Final = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc", "/proc", "/sys", "/dev", "/run"),
)
_PRIVATE: Final = (HOME, TMP, "/dev", "/proc/self", "/proc/thread-self")
_WRITING: Final = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE")
_ADDRESS: Final = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]*)"')
_UNIX: Final = re.compile(r'sun_path=@?("(?:[^"\\]|\\.)*")')
_OWN_ADDRESS: Final = re.compile(r"127\.|::ffff:127\.|(?:0\.0\.0\.0|::1|::)\Z")
# What in a home is made anew when it is gone: caches, and what tools write there of themselves.
_PASSING: Final = re.compile(
    rf"{HOME}/\.?(?:cache|npm|node_repl_history|pki|dotnet|java|wget-hsts|tmp|config/(?:matplotlib|configstore))(?:/|\Z)"
)
_EVERYDAY: Final = ("/var/run/nscd/", "/run/systemd/", "/dev/log", f"{HOME}/", f"{TMP}/")
_FLAGS: Final = ("O_", "{flags=")
# Where secrets lie that are not the server's: of the system, and of other homes than its own.
_SECRET: Final = re.compile(
    rf"/etc/(?:g?shadow|sudoers)|/(?:root|home/(?!{HOME.rpartition('/')[2]}/)[^/]+)/\.(?:ssh|aws|gnupg|kube|netrc|env)\b"
)
_RECORDS: Final = (1, 28, 65)  # A, AAAA, HTTPS
_SHORTEST_QUERY: Final = 17
_ANSWER_OR_OTHER: Final = 0xF8
_LONGEST_LABEL: Final = 63


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a watched server is, and what was granted: what it does is compared with this.

    ``names_made_up``: the names that it may look up lead to addresses of the sandbox's making. Those say nothing; the
    names are in what it asks for, and in its contacts.
    """

    argv: tuple[str, ...]
    cwd: str
    own: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    names_made_up: bool = False

    @classmethod
    def of(cls, argv: tuple[str, ...], cwd: str, confinement: Confinement) -> Ground:
        """Return the ground of a program, with its arguments, in its confinement."""
        return cls(
            argv=argv,
            cwd=cwd,
            own=confinement.read_only,
            readable=(*confinement.granted_read_only, *confinement.granted_writable),
            writable=(*confinement.granted_writable, *confinement.writable),
            names_made_up=isinstance(confinement.network, AllowList),
        )


class Observer:
    """Takes calls, one after the other; nothing counts before the program itself has been started."""

    def __init__(self, ground: Ground, decoys: Decoys) -> None:
        self.calls = 0
        self.sent: set[str] = set()
        self._ground = ground
        self._decoys = decoys
        self._begun = False
        self._cwd: dict[int, str] = {}
        self._seen: dict[str, dict[str, None]] = {name: {} for name in Behaviour.__struct_fields__ if name != "calls"}

    def take(self, call: Call) -> None:
        """Take one call."""
        if not self._begun:
            self._begun = call.name == "execve" and call.result == 0 and self._is_the_program(call)
            return
        self.calls += 1
        match call.name:
            case "open" | "openat" | "openat2" | "creat":
                self._open(call)
            case "truncate" | "unlink" | "unlinkat" | "mkdir" | "mkdirat":
                self._changed(self._path(call, 0))
            case "rename" | "renameat" | "renameat2":
                self._changed(self._path(call, 0))
                self._changed(self._path(call, 1))
            case "link" | "linkat" | "symlink" | "symlinkat":
                self._changed(self._path(call, 1))
            case "connect":
                self._reached(call.arguments)
            case "sendto" | "sendmsg" | "sendmmsg":
                self._reached(call.arguments)
                self._sent(call.arguments)
            case "execve" | "execveat" if call.result == 0:
                self._executed(call)

    def behaviour(self) -> Behaviour:
        """Return what was seen so far."""
        return Behaviour(calls=self.calls, **{name: tuple(kept) for name, kept in self._seen.items()})

    # --- one kind of call each -----------------------------------------------------------------------------------

    def _open(self, call: Call) -> None:
        named = self._path(call, 0)
        path = call.path or named
        flags = "".join(argument for argument in call.arguments if argument.startswith(_FLAGS))
        writing = call.name == "creat" or _WRITING.search(flags)
        if _SECRET.match(named):
            self._keep("sought", named)
        if path in self._decoys.files and not call.error:
            self._keep("decoys", path)
        elif writing:
            self._changed(path)
        elif call.error:
            return
        elif any(_in_any(root, [path]) for root in (*self._ground.own, *self._ground.readable)):
            return  # a directory above what it was given
        elif _in_any(path, self._ground.readable) or not _in_any(path, (*_SYSTEM, *self._ground.own, HOME, TMP)):
            self._keep("reads", path)

    def _changed(self, path: str) -> None:
        if path and _in_any(path, self._ground.writable):
            self._keep("writes", path)
        elif path.startswith(f"{HOME}/") and not _PASSING.match(path) and path not in self._decoys.files:
            self._keep("home", path)
        elif path and not _in_any(path, _PRIVATE):
            self._keep("outside", path)

    def _reached(self, arguments: Iterable[str]) -> None:
        for argument in arguments:
            if found := _ADDRESS.search(argument):
                port, address = found[1], found[2]
                if port != "0" and not _OWN_ADDRESS.match(address) and not self._made_up(address):
                    self._keep("hosts", f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
            elif found := _UNIX.search(argument):
                path = text(strings(found[1])[0])
                if not path.startswith(_EVERYDAY):
                    self._keep("hosts", f"unix:{path}")

    def _made_up(self, address: str) -> bool:
        return self._ground.names_made_up and made_up(address)

    def _sent(self, arguments: Iterable[str]) -> None:
        for data in (data for argument in arguments for data in strings(argument)):
            self.sent |= self._decoys.seen_in(data)
            if name := asked_name(data):
                self._keep("names", name)

    def _executed(self, call: Call) -> None:
        self._keep("commands", " ".join(_listed(call)) or _first(call))

    def _is_the_program(self, call: Call) -> bool:
        """Tell it from what sets the sandbox up, which may be the same interpreter; long words are cut in a record."""
        own, listed = self._ground.argv, _listed(call)
        return _first(call) == own[0] and all(word.startswith(cut) for word, cut in zip(own, listed, strict=False))

    # --- what they have in common --------------------------------------------------------------------------------

    def _path(self, call: Call, which: int) -> str:
        """Return the path that is the ``which``-th string of a call, seen from the directory it is relative to."""
        base, found = self._cwd.get(call.pid, self._ground.cwd), []
        for argument in call.arguments:
            if argument.startswith("AT_FDCWD<"):
                base = self._cwd[call.pid] = annotation(argument) or base
                self._forget()
            elif where := annotation(argument):
                base = where
            elif argument.startswith('"'):
                found.append((base, text(strings(argument)[0])))
        if which >= len(found):
            return ""
        directory, path = found[which]
        return os.path.normpath(os.path.join(directory, path))  # noqa: PTH118 - text, of another file system

    def _forget(self) -> None:
        if len(self._cwd) > _MOST:
            del self._cwd[next(iter(self._cwd))]

    def _keep(self, kind: str, what: str) -> None:
        seen = self._seen[kind]
        if len(seen) < _MOST:
            seen[what[:_LONGEST]] = None
        elif what[:_LONGEST] not in seen:
            seen["…"] = None


def asked_name(packet: bytes) -> str:
    """Return the name that a DNS query asks an address for (RFC 1035, section 4); nothing for any other bytes."""
    if len(packet) < _SHORTEST_QUERY or packet[2] & _ANSWER_OR_OTHER:
        return ""
    questions, answers, authorities, _ = struct.unpack_from("!4H", packet, 4)
    if (questions, answers, authorities) != (1, 0, 0):
        return ""
    labels, at = [], 12
    while at < len(packet) and 0 < packet[at] <= _LONGEST_LABEL:
        labels.append(packet[at + 1 : at + 1 + packet[at]])
        at += 1 + packet[at]
    if at + 5 > len(packet) or packet[at] or struct.unpack_from("!2H", packet, at + 1)[1] != 1:
        return ""
    name = b".".join(labels)
    kind = struct.unpack_from("!H", packet, at + 1)[0]
    return name.decode("ascii") if labels and kind in _RECORDS and re.fullmatch(rb"[A-Za-z0-9_.-]+", name) else ""


def _listed(call: Call) -> list[str]:
    """Return the arguments that a program is started with, as far as the record has them."""
    listed = next((argument for argument in call.arguments if argument.startswith("[")), "")
    return [text(each) for each in strings(listed)]


def _first(call: Call) -> str:
    words = strings(call.arguments[0]) if call.arguments else []
    return text(words[0]) if words else ""


def _in_any(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)
