"""What a handshake server says and asks about a task that its client holds, under the id that the client knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Raw

from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway import messages
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.tasks import related
from vsm_mcp.gateway.tasks.task import read
from vsm_mcp.wire import era
from vsm_mcp.wire.dialogue import Question

STATUS: Final = "notifications/tasks/status"


class Voice(Talk):
    """A talk about one task: ``ident`` is the server's id, ``shown`` the client's. ``ended`` is called at its end."""

    def __init__(self, request: Request, caller: Caller, ident: str, shown: str, ended: Callable[[], None]) -> None:
        super().__init__(request, caller)
        self._ident = ident
        self._shown = shown
        self._ended = ended

    def notified(self, method: str, params: Raw) -> None:
        """Pass a notification on; one of the task's state goes to whoever hears what concerns no request."""
        if method != STATUS:
            super().notified(method, related.related(params, self._shown))
            return
        self.tell(messages.notification(method, bytes(related.named(params, self._shown))))
        try:
            ended = read(params).ended
        except ProtocolError:
            return
        if ended:
            self._ended()

    def asked(self, question: Question) -> None:
        """Ask the client; its answer goes back under the server's id."""
        session = self._caller.session
        if session is not None and self._caller.back is session and session.listener is None:
            return question.refuse(era.METHOD_NOT_FOUND, "Method not found: the client does not wait for this task now")
        params = related.related(question.params or Raw(b"{}"), self._shown)
        return super().asked(related.translated(question, params, self._ident))
