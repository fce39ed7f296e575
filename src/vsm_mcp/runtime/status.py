"""What is known about a server and its processes now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from vsm_mcp.model.server import ServerState
from vsm_mcp.sandbox.confinement import Exit

_SHOWN: Final = 8
_LAST_LINES: Final = 10


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """How the last process of a server that ended by itself did, or why it never came up.

    ``at`` is in seconds since the epoch; ``exit_code`` or ``signal`` (its name) say how it ended, where it was a
    process that ended; ``oom`` says that it hit its memory limit, ``ready`` that it had come up. ``cause`` is the code
    of a known cause. ``stderr`` are its last lines.
    """

    at: float
    reason: str
    exit_code: int | None = None
    signal: str = ""
    oom: bool = False
    ready: bool = False
    cause: str = ""
    stderr: tuple[str, ...] = ()


def crash_of(
    reason: str, ended: Exit | None, *, at: float, ready: bool, cause: str = "", stderr: Sequence[str] = ()
) -> Crash:
    """Return what is kept of an end: of what it wrote on stderr, the last lines."""
    return Crash(
        at=at,
        reason=reason,
        exit_code=ended.code if ended else None,
        signal=ended.signal_name if ended else "",
        oom=ended is not None and ended.oom,
        ready=ready,
        cause=cause,
        stderr=tuple(stderr[-_LAST_LINES:]),
    )


class InstanceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the process of one session; see :class:`Status`. ``session`` is the shortened key."""

    session: str
    state: ServerState
    pid: int | None = None
    restarts: int = 0
    since: float = 0.0
    reason: str = ""
    in_flight: int = 0
    waiting: int = 0
    crash: Crash | None = None


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the processes that share a server's calls.

    ``size`` is how many there usually are, ``overflow`` how many more there are now, ``ready`` how many run;
    ``calls`` are in flight, ``waiting`` wait for a turn. So far ``waited`` calls had to, ``refused`` found the queue
    full, and ``timed_out`` waited in vain.
    """

    size: int
    overflow: int = 0
    ready: int = 0
    calls: int = 0
    waiting: int = 0
    waited: int = 0
    refused: int = 0
    timed_out: int = 0
    pids: tuple[int, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one server now.

    ``since`` is when it took on ``state`` (seconds since the epoch); ``restarts`` counts those since it was added.
    ``reason`` says why it is not ready, or what went wrong last. ``in_flight`` counts the calls that it works on,
    ``waiting`` those that wait for it to be ready. All of them speak about the process that is shared;
    ``instances`` are those of single sessions, least recently used first, where the server is ``stateful``. ``crash``
    stays known after a restart. ``pool`` is there where several processes share the calls, or calls wait for a turn.
    ``junk`` counts the lines on stdout of what runs that were no messages. ``personal`` says that it was given up for
    what only a person can mend: a wrong value, a missing login.
    """

    name: str
    state: ServerState
    pid: int | None = None
    tier: str = ""
    era: str = ""
    restarts: int = 0
    since: float = 0.0
    reason: str = ""
    stderr_tail: tuple[str, ...] = ()
    stateful: bool = False
    instances: tuple[InstanceStatus, ...] = ()
    in_flight: int = 0
    waiting: int = 0
    crash: Crash | None = None
    pool: PoolStatus | None = None
    junk: int = 0
    personal: bool = False


def shortened(session: str) -> str:
    """Return as much of a session's key as may be shown: who has the whole of it is its client."""
    return session if len(session) <= _SHOWN else f"{session[:_SHOWN]}…"
