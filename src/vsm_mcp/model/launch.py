"""How a server is started: what it needs to be told, and what it was told."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final

import msgspec


class InputKind(StrEnum):
    """How a value reaches a server."""

    ARG = "arg"
    ENV = "env"
    SECRET = "secret"


class RestartPolicy(StrEnum):
    """Whether a process that ended by itself is started again: always, unless it ended well, or never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One value a server can be given.

    ``name`` is the variable's name, or for an argument its flag (``--repository``) or, when positional, a word for
    it (``directory``). ``purpose`` says what it is for, in our own words.
    """

    kind: InputKind
    name: str
    purpose: str = ""
    required: bool = False
    default: str = ""
    positional: bool = False


class LaunchFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about starting a server before anyone started it.

    ``args`` are always given (``("--stdio",)``); ``inputs`` may or must be given by the user; ``network`` says
    whether its work needs the network; ``None`` where nobody knows.
    """

    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    inputs: tuple[Input, ...] = ()
    network: bool | None = None
    executable: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person gave for one server: the options of ``vsm-mcp add``.

    ``secrets`` maps a variable's name to its value; it is never logged, shown or kept in evidence. ``paths`` are
    ``(absolute path, writable)``; ``hosts`` are ``host`` or ``host:port``, and
    ``*`` (or ``network``) is all that the machine reaches. ``stateful`` (a process for each client
    session) is as observed where nobody said; ``lazy`` (started by the first call) and ``idle_stop_seconds`` (0:
    never stopped for want of use) are as ``[runtime]`` has them where nobody said. ``restart`` says what becomes of a
    process that ended by itself; ``after`` names servers that are started before this one.
    ``listens`` is where a program listens that does not speak over its pipes: a URL on loopback in which ``{port}``
    stands for its port, or the name of a preset; ``health`` a path there that answers well when the program is.
    ``pool_size`` processes share the calls of a server that keeps no state, ``max_overflow`` more of them when all are
    full; ``calls_at_once`` fills one (0: nothing does). ``queue_limit`` calls may wait then, for ``queue_seconds``.
    ``replica_of`` names a server that does the same: both answer under its name, the one of the lowest ``priority``
    first, and those of one priority by their ``weight``.
    ``program`` names one of several programs of a package, where it is not clear which of them is the server.
    ``permissions`` names the permission profile that all of this adds to, ``project`` the directory that ``.`` stands
    for in it. ``keep_home`` says whether what the server writes in its home stays when it ends; ``None``: as is known.
    """

    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    paths: tuple[tuple[str, bool], ...] = ()
    hosts: tuple[str, ...] = ()
    network: bool = False
    allow_scripts: bool = False
    program: str = ""
    allow_unsandboxed: bool = False
    cwd: str = ""
    stateful: bool | None = None
    lazy: bool | None = None
    idle_stop_seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    restart: RestartPolicy = RestartPolicy.PERMANENT
    after: tuple[str, ...] = ()
    listens: str = ""
    health: str = ""
    pool_size: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    max_overflow: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    calls_at_once: Annotated[int, msgspec.Meta(ge=0)] = 0
    queue_limit: Annotated[int, msgspec.Meta(ge=0)] = 100
    queue_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    replica_of: str = ""
    weight: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0
    priority: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    permissions: str = ""
    project: str = ""
    keep_home: bool | None = None

    @property
    def whole_network(self) -> bool:
        """Whether the machine's own network was granted, not just some hosts."""
        return self.network or "*" in self.hosts

    def __repr__(self) -> str:
        return f"Settings(args={self.args!r}, env={sorted(self.env)}, secrets={sorted(self.secrets)})"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The program of one installation: ``argv`` in absolute paths, without the server's own arguments.

    ``runtime`` is ``node``, ``python``, ``native``, ``container`` (``argv`` is ``ENGINE … run IMAGE``), ``remote`` or
    ``custom`` (the embedding program starts it);
    ``roots`` are the read-only paths it needs (the installation itself, the interpreter's prefix).
    """

    argv: tuple[str, ...]
    runtime: str
    roots: tuple[str, ...] = ()
    env: dict[str, str] = {}

    @property
    def remote(self) -> bool:
        """Whether it runs elsewhere: there is no program here."""
        return self.runtime == "remote"


_SECRET: Final = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|PASS)\Z", re.IGNORECASE)


def names_secret(name: str) -> bool:
    """Return whether a variable of this name holds, by custom, a secret."""
    return _SECRET.search(name) is not None
