"""For whom the processes of one server are, and how long they stay: pure."""

from __future__ import annotations

import msgspec

from vsm_mcp.config import Runtime
from vsm_mcp.model.launch import RestartPolicy
from vsm_mcp.model.server import Server


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """``size`` processes, ``overflow`` more when all are full; ``calls_at_once`` is what fills one (0: nothing does).

    ``queue`` calls may wait for one that is not full, each for ``queue_seconds``.
    """

    size: int = 1
    overflow: int = 0
    calls_at_once: int = 0
    queue: int = 100
    queue_seconds: float = 30.0

    @property
    def plain(self) -> bool:
        """Whether one process does for all calls that come."""
        return self.size == 1 and self.overflow == 0 and self.calls_at_once == 0


class Tenure(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one server; times are in seconds, 0 is for ever.

    ``stateful``: each client session gets a process of its own, at most ``instances`` of them; ``because`` says who
    holds it so (``setting``, ``observed`` or ``default``). ``lazy``: the first call starts it. ``idle_seconds`` is how
    long the shared process stays without use, ``session_idle_seconds`` how long that of one session does. ``restart``
    says what becomes of one that ended by itself. ``sizes`` says how many processes share the calls.
    """

    stateful: bool = False
    because: str = "default"
    lazy: bool = False
    idle_seconds: float = 0.0
    session_idle_seconds: float = 0.0
    instances: int = 1
    restart: RestartPolicy = RestartPolicy.PERMANENT
    sizes: Sizes = Sizes()


def tenure_of(server: Server, config: Runtime) -> Tenure:
    """Return what holds for a server: what a person said, else what was seen of it, else what holds for all."""
    said, idle = server.settings.stateful, server.settings.idle_stop_seconds
    stateful = server.observed_stateful if said is None else said
    because = "setting" if said is not None else "observed" if server.observed_stateful else "default"
    return Tenure(
        stateful=stateful,
        because=because,
        lazy=config.lazy if server.settings.lazy is None else server.settings.lazy,
        idle_seconds=config.idle_stop_seconds if idle is None else idle,
        session_idle_seconds=config.session_idle_seconds if idle is None else idle,
        instances=config.instances_per_server,
        restart=server.settings.restart,
        sizes=Sizes(
            size=server.settings.pool_size,
            overflow=server.settings.max_overflow,
            calls_at_once=server.settings.calls_at_once,
            queue=server.settings.queue_limit,
            queue_seconds=server.settings.queue_seconds,
        ),
    )
