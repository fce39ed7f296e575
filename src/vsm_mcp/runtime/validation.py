"""Whether the settings of a server can be used: every field, before anything is done with it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from vsm_mcp.errors import BadArgument
from vsm_mcp.model.launch import RestartPolicy, Settings
from vsm_mcp.runtime.listens import template
from vsm_mcp.sandbox.egress.rules import EVERYTHING, parse

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PATH: Final = re.compile(r"/[!-~]*")
_PROGRAM: Final = re.compile(r"[A-Za-z0-9_][\w.@+-]{0,127}")
_PROFILE: Final = re.compile(r"[a-z0-9-]{1,32}")
_SERVER: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")

Complaints = Iterator[tuple[str, str, str]]
"""The field, what is wrong with it, and what it should be. Values are not repeated where they may be secret."""


def check(settings: Settings, *, remote: bool = False) -> None:
    """Raise :class:`BadArgument`, naming the field, for the first that cannot be used.

    ``remote``: the variables are HTTP headers.
    """
    try:
        msgspec.convert(msgspec.to_builtins(settings), Settings)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        field = re.match(r"`\$\.(\w+)", where)
        raise _bad(field[1] if field else "settings", what[:1].lower() + what[1:], "") from error
    for rule in _RULES:
        for field_name, problem, hint in rule(settings, remote):
            raise _bad(field_name, problem, hint)


def _bad(field: str, problem: str, hint: str) -> BadArgument:
    return BadArgument(f"{field}: {problem}", hint or "docs/reference/runtime.md lists every field")


def _texts(settings: Settings, remote: bool) -> Complaints:
    for number, arg in enumerate(settings.args, 1):
        if "\0" in arg:
            yield "args", f"the {number}. argument holds a zero byte", "no program can be given one"
    known = _HEADER if remote else _VARIABLE
    for field, values in (("env", settings.env), ("secrets", settings.secrets)):
        for name, value in values.items():
            if not known.fullmatch(name):
                what = "header" if remote else "variable"
                yield field, f"{name!r} is no name of a {what}", "letters, digits and underscores (headers: dashes)"
            if "\0" in value:
                yield field, f"the value of {name} holds a zero byte", "no program can be given one"


def _places(settings: Settings, _remote: bool) -> Complaints:
    for path, _ in settings.paths:
        if not path.startswith("/") or "\0" in path:
            yield "paths", f"{path!r} is not absolute", "give it from the root: /home/…"
    if settings.cwd and not settings.cwd.startswith("/"):
        yield "cwd", f"{settings.cwd!r} is not absolute", "give it from the root: /home/…"
    if settings.project and not settings.project.startswith("/"):
        yield "project", f"{settings.project!r} is not absolute", "give it from the root: /home/…"
    if settings.permissions and not _PROFILE.fullmatch(settings.permissions):
        yield "permissions", f"{settings.permissions!r} cannot be a profile's name", "none, read-only, or one of yours"
    for host in settings.hosts:
        if host == EVERYTHING:
            continue
        try:
            parse(host)
        except BadArgument as error:
            yield "hosts", error.message, error.hint


def _program(settings: Settings, remote: bool) -> Complaints:
    if settings.program and remote:
        yield "program", "a server that runs elsewhere has no program here", "leave it out"
    elif settings.program and not _PROGRAM.fullmatch(settings.program):
        yield "program", f"{settings.program!r} cannot be a program's name", "give one that the package declares"


def _running(settings: Settings, _remote: bool) -> Complaints:
    idle = settings.idle_stop_seconds
    if idle is not None and not math.isfinite(idle):
        yield "idle_stop_seconds", f"{idle} is no number of seconds", "write 0 for never"
    for name in settings.after:
        if not _SERVER.fullmatch(name):
            yield "after", f"{name!r} cannot be a server's name", "vsm-mcp list shows the names"
    if len(set(settings.after)) < len(settings.after):
        yield "after", "a server is named twice", "once is enough"


def _replicated(settings: Settings, _remote: bool) -> Complaints:
    if settings.replica_of and not _SERVER.fullmatch(settings.replica_of):
        yield "replica_of", f"{settings.replica_of!r} cannot be a server's name", "vsm-mcp list shows the names"
    if not math.isfinite(settings.weight):
        yield "weight", f"{settings.weight} is no weight", "1 is what is usual, 2 gets twice as many calls"


def _listening(settings: Settings, remote: bool) -> Complaints:
    if settings.listens and remote:
        yield "listens", "a server that runs elsewhere has its URL already", "leave it out"
    elif settings.listens:
        template(settings.listens)
    if settings.health and not _PATH.fullmatch(settings.health):
        yield "health", f"{settings.health!r} is no path", "write /health, for instance"
    if settings.health and not settings.listens:
        yield "health", "nothing listens that could be asked", "say where it listens, too"
    if settings.health and settings.listens and template(settings.listens).startswith("tcp"):
        yield "health", "a server over TCP has no paths", "leave it out"


def _pooled(settings: Settings, _remote: bool) -> Complaints:
    if not math.isfinite(settings.queue_seconds):
        yield "queue_seconds", f"{settings.queue_seconds} is no number of seconds", "30 is what is usual"
    if settings.pool_size > 1 and settings.restart != RestartPolicy.PERMANENT:
        yield "restart", "the processes of a pool are replaced whenever they end", "leave it permanent"
    if settings.max_overflow and not settings.calls_at_once:
        yield "max_overflow", "no process is ever full, so there is never one more", "say calls_at_once, too"
    if settings.stateful and (settings.pool_size > 1 or settings.calls_at_once):
        field = "pool_size" if settings.pool_size > 1 else "calls_at_once"
        yield field, "each session of a stateful server has a process of its own", "leave out one of the two"
    if settings.stateful and settings.keep_home:
        yield "keep_home", "each session of a stateful server has a home of its own", "leave out one of the two"


_RULES: Final[tuple[Callable[[Settings, bool], Complaints], ...]] = (
    _texts,
    _places,
    _program,
    _running,
    _replicated,
    _listening,
    _pooled,
)
