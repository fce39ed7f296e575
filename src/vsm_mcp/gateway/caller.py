"""The client behind one request: its era, what it sees, and the way back to it while the request is answered."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
from msgspec import Raw

from vsm_mcp.gateway import capabilities
from vsm_mcp.gateway.capabilities import Capabilities
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, text_or_none
from vsm_mcp.gateway.sessions import Session
from vsm_mcp.gateway.view import View
from vsm_mcp.model.principal import LOCAL, Principal
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

_DEFAULT_LEVEL: Final = "info"
"""What a client of the handshake versions hears that has not said what it wants; servers decide there ("Logging")."""


class _Log(msgspec.Struct):
    level: str = ""


_decode_log: Final = msgspec.json.Decoder(_Log).decode


def heard_from(session: Session | None) -> str:
    """Return the least severity that a client of the handshake versions hears log messages of."""
    return (session.log_level if session is not None else "") or _DEFAULT_LEVEL


def severe_enough(params: Raw, least: str) -> bool:
    """Return whether a log message is of a known severity, and not of a lesser one than ``least``."""
    try:
        level = _decode_log(params).level
    except UNREADABLE:
        return False
    known = era.LOG_LEVELS
    return least in known and level in known and known.index(level) >= known.index(least)


class Back(Protocol):
    """The way back to a client in the middle of a call."""

    def notify(self, message: bytes) -> None:
        """Send a notification, a whole JSON-RPC message; it is dropped while the client does not read."""
        ...

    def put(self, message: bytes) -> None:
        """Send what is waited for, a question to a client of the handshake versions: it is never dropped."""
        ...


class Caller:
    """Who asks. ``back`` is ``None`` where nothing but the answer reaches the client.

    ``session`` is a handshake client's; ``who`` tells clients apart that have a connection or a session of their own,
    and is empty for a client of the modern era over HTTP. ``principal`` is whose key or token it presented.
    """

    __slots__ = ("back", "modern", "principal", "session", "view", "who")

    def __init__(
        self,
        view: View,
        *,
        modern: bool,
        session: Session | None = None,
        who: str = "",
        back: Back | None = None,
        principal: Principal = LOCAL,
    ) -> None:
        self.view = view
        self.modern = modern
        self.session = session
        self.who = who or (session.ident if session is not None else "")
        self.back = back
        self.principal = principal

    @property
    def owner(self) -> str:
        """Whose a call is that waits for its client, and a place at a stateful server: nobody else gets at either."""
        return self.who or ("" if self.principal is LOCAL else self.principal.name)

    def capabilities(self, request: Request) -> Capabilities:
        """Return what the client can do in the middle of this request."""
        if self.modern:
            return request.capabilities
        return self.session.capabilities if self.session is not None else capabilities.NONE

    def log_level(self, request: Request) -> str:
        """Return the least severity that the client wants log messages of, ``""`` for none.

        Raises :class:`Fault` (-32602) for a level that does not exist (specification 2026-07-28, "Logging").
        """
        if not self.modern:
            return "" if self.back is None else heard_from(self.session)
        wanted = None if request.said is None else request.said.level
        if wanted is None:
            return ""
        level = text_or_none(wanted) or ""
        if level not in era.LOG_LEVELS:
            raise Fault(era.INVALID_PARAMS, f"{era.META_LOG_LEVEL} is one of {', '.join(era.LOG_LEVELS)}")
        return "" if self.back is None else level

    def silent(self) -> Caller:
        """Return the same client where nothing reaches it any more."""
        return self.through(None)

    def through(self, back: Back | None) -> Caller:
        """Return the same client with another way back to it."""
        return Caller(
            self.view, modern=self.modern, session=self.session, who=self.who, back=back, principal=self.principal
        )
