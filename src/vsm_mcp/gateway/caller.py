"""The client behind one request: its era, what it sees, and the way back to it while the request is answered."""

from __future__ import annotations

from typing import Protocol

from vsm_mcp.gateway.sessions import Session
from vsm_mcp.gateway.view import View


class Back(Protocol):
    """The way back to a client in the middle of a call."""

    def notify(self, message: bytes) -> None:
        """Send one notification, a whole JSON-RPC message."""
        ...


class Caller:
    """Who asks. ``back`` is ``None`` where nothing but the answer reaches the client.

    ``session`` is a handshake client's; ``who`` tells clients apart that have a connection or a session of their own,
    and is empty for a client of the modern era over HTTP.
    """

    __slots__ = ("back", "modern", "session", "view", "who")

    def __init__(
        self,
        view: View,
        *,
        modern: bool,
        session: Session | None = None,
        who: str = "",
        back: Back | None = None,
    ) -> None:
        self.view = view
        self.modern = modern
        self.session = session
        self.who = who or (session.ident if session is not None else "")
        self.back = back
