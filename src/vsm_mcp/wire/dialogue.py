"""What a server says and asks while it works on a call, and whom it reaches.

Before 2026-07-28 a server may send requests of its own in the middle of a call (elicitation, sampling, roots); over a
pipe nothing says which call they belong to (specification 2025-11-25, "Client features").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Raw

Answer = Callable[[bytes], None]
"""Sends one whole JSON-RPC response to the server."""


class Question:
    """One request of a server. Answered once, by :meth:`answer` or :meth:`refuse`; what comes later is dropped.

    ``params`` is raw JSON (``None``: there are none). ``on_withdrawn`` is called when the server takes it back.
    """

    __slots__ = ("_refuse", "_respond", "ident", "method", "on_withdrawn", "open", "params")

    def __init__(
        self,
        ident: Raw,
        method: str,
        params: Raw | None,
        respond: Callable[[Raw, bytes | Raw], None],
        refuse: Callable[[Raw, int, str, bytes | None], None],
    ) -> None:
        self.ident = Raw(bytes(ident))
        self.method = method
        self.params = None if params is None else Raw(bytes(params))
        self.open = True
        self.on_withdrawn: Callable[[], None] | None = None
        self._respond = respond
        self._refuse = refuse

    def answer(self, result: bytes | Raw) -> None:
        """Give the server its result, raw JSON."""
        if self._settle():
            self._respond(self.ident, result)

    def refuse(self, code: int, message: str, data: bytes | None = None) -> None:
        """Give the server a JSON-RPC error; ``data`` is raw JSON."""
        if self._settle():
            self._refuse(self.ident, code, message, data)

    def withdraw(self) -> None:
        """Take note that the server wants no answer any more."""
        if self._settle() and self.on_withdrawn is not None:
            self.on_withdrawn()

    def _settle(self) -> bool:
        was_open, self.open = self.open, False
        return was_open


class Dialogue(Protocol):
    """The client's side of one call.

    ``client`` is equal for calls of the same client: what a server says over a shared pipe is attributed only while
    the calls of one client are in flight. ``capabilities`` are the client's (specification, "ClientCapabilities"),
    ``log_level`` is the least severity it wants log messages of ("" for none), ``wants_progress`` whether progress.
    """

    capabilities: Mapping[str, object]
    log_level: str
    wants_progress: bool

    @property
    def client(self) -> str:
        """Who it is."""
        ...

    def notified(self, method: str, params: Raw) -> None:
        """Take a notification that belongs to the call: progress, a log message, or news of the task it is about."""
        ...

    def asked(self, question: Question) -> None:
        """Take a question; it may be answered at any later time."""
        ...
