"""What is known about a server and its processes now."""

from __future__ import annotations

from typing import Final

import msgspec

from vsm_mcp.model.server import ServerState

_SHOWN: Final = 8


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


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one server now.

    ``since`` is when it took on ``state`` (seconds since the epoch); ``restarts`` counts those since it was added.
    ``reason`` says why it is not ready, or what went wrong last. ``in_flight`` counts the calls that it works on,
    ``waiting`` those that wait for it to be ready. All of them speak about the process that is shared;
    ``instances`` are those of single sessions, least recently used first, where the server is ``stateful``.
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


def shortened(session: str) -> str:
    """Return as much of a session's key as may be shown: who has the whole of it is its client."""
    return session if len(session) <= _SHOWN else f"{session[:_SHOWN]}…"
