"""Sessions of legacy clients: a version and a time of last use, nothing else, so that thousands cost little."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable

from vsm_mcp.gateway.capabilities import NONE, Capabilities
from vsm_mcp.gateway.changes import Listener
from vsm_mcp.gateway.questions import Questions
from vsm_mcp.gateway.view import View
from vsm_mcp.model.principal import LOCAL, Principal


class Session:
    """One client that said ``initialize``, of one principal. ``busy`` counts requests and streams that are open now.

    ``capabilities`` are what it declared then, ``log_level`` what it set since (``""``: nothing). ``listener`` hears
    news for it, while it has a stream open or waits for a resource to change.
    """

    __slots__ = (
        "busy", "capabilities", "ident", "last_used", "listener", "log_level", "principal", "questions", "version",
        "view",
    )  # fmt: skip

    def __init__(self, ident: str, version: str, view: View, now: float, principal: Principal = LOCAL) -> None:
        self.ident = ident
        self.version = version
        self.view = view
        self.principal = principal
        self.last_used = now
        self.log_level = ""
        self.capabilities: Capabilities = NONE
        self.questions = Questions()
        self.busy = 0
        self.listener: Listener | None = None

    def is_of(self, view: View, principal: Principal) -> bool:
        """Say whether a client is the one that opened it: what it sees and who it is are the same."""
        return self.view is view and (self.principal is principal or self.principal.name == principal.name)

    def notify(self, message: bytes) -> None:
        """Tell the client something that belongs to no request of its own, if it listens."""
        if self.listener is not None:
            self.listener.say(message)

    def put(self, message: bytes) -> None:
        """Ask the client something that belongs to no request of its own, if it listens."""
        self.notify(message)

    def end(self) -> None:
        """Let its stream and its questions go."""
        if self.listener is not None:
            self.listener.end()
        self.questions.close()


class Sessions:
    """All sessions, least recently used first; at most ``limit``, each for at most ``idle_seconds`` of silence.

    When the limit is reached, the session that was silent longest gives way: its client gets 404 and says
    ``initialize`` again (specification 2025-11-25, "Transports: Session Management"). ``ended`` is called with each
    session that has ended.
    """

    def __init__(
        self, limit: int, idle_seconds: float, ended: Callable[[Session], None] = lambda _session: None
    ) -> None:
        self._ended = ended
        self._limit = max(1, limit)
        self._idle_seconds = idle_seconds
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def configure(self, limit: int, idle_seconds: float) -> None:
        """Have other bounds count from the next look on."""
        self._limit, self._idle_seconds = max(1, limit), idle_seconds

    def __len__(self) -> int:
        return len(self._sessions)

    def all(self) -> Iterable[Session]:
        """Return those that are open."""
        return self._sessions.values()

    def open(self, version: str, view: View, now: float, principal: Principal = LOCAL) -> Session | None:
        """Return a new session, or ``None`` when there are too many and every one is busy."""
        self._expire(now)
        if len(self._sessions) >= self._limit and not self._evict():
            return None
        session = Session(secrets.token_hex(16), version, view, now, principal)
        self._sessions[session.ident] = session
        return session

    def find(self, ident: str, now: float) -> Session | None:
        """Return a living session and mark it as used."""
        session = self._sessions.get(ident)
        if session is None:
            return None
        if not session.busy and now - session.last_used > self._idle_seconds:
            self.close(ident)
            return None
        session.last_used = now
        self._sessions.move_to_end(ident)
        return session

    def close(self, ident: str) -> bool:
        """End a session and its stream; ``False`` when there is none."""
        session = self._sessions.pop(ident, None)
        if session is None:
            return False
        session.end()
        self._ended(session)
        return True

    def expel(self, name: str) -> None:
        """End every session of a principal."""
        for ident in [ident for ident, session in self._sessions.items() if session.principal.name == name]:
            self.close(ident)

    def _expire(self, now: float) -> None:
        while self._sessions:
            session = next(iter(self._sessions.values()))
            if session.busy or now - session.last_used <= self._idle_seconds:
                return
            self.close(session.ident)

    def _evict(self) -> bool:
        for session in self._sessions.values():
            if not session.busy:
                return self.close(session.ident)
        return False
