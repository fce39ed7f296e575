"""What a handshake server says outside of any call, on its way to the clients that it may be meant for.

Specification 2025-11-25, "Logging" and "Elicitation: Completion Notifications". A client of the modern era hears of
nothing but what it asked for, so only sessions are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from msgspec import Raw

from vsm_mcp.gateway import messages
from vsm_mcp.gateway.caller import heard_from, severe_enough
from vsm_mcp.gateway.sessions import Session
from vsm_mcp.policy.bucket import Bucket, Rate, full, take

_RATE: Final = Rate(per_minute=3000, burst=200)
"""Of one server; what it says beyond that is dropped, so that a talkative one costs nobody much."""

_LOG: Final = "notifications/message"


class Announcements:
    """Tells sessions what servers say. ``sessions`` gives those that are open."""

    def __init__(self, sessions: Callable[[], Iterable[Session]]) -> None:
        self._sessions = sessions
        self._buckets: dict[str, Bucket] = {}

    def said(self, server: str, session: str, method: str, params: Raw) -> None:
        """Pass a notification of ``server`` on.

        One of a process that works for a single ``session`` is that session's. A log message of a process that clients
        share (``""``) reaches all sessions that listen and see the server, if they are one principal's: nobody hears
        what somebody else's calls may have left. Anything else of such a process has no addressee.
        """
        if not session and method != _LOG:
            return
        now = monotonic()
        self._buckets[server], wait = take(self._buckets.get(server) or full(_RATE, now), _RATE, now)
        if wait:
            return
        hearing = [each for each in self._sessions() if each.listener is not None and _may_hear(each, server, session)]
        if len({each.principal.name for each in hearing}) > 1:
            return
        message = messages.notification(method, bytes(params))
        for each in hearing:
            if method != _LOG or severe_enough(params, heard_from(each)):
                each.notify(message)

    def forget(self, servers: Iterable[str]) -> None:
        """Remember ``servers`` alone."""
        known = frozenset(servers)
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if name in known}


def _may_hear(each: Session, server: str, session: str) -> bool:
    return (each.ident == session) if session else server in each.view.catalogue.shelves
