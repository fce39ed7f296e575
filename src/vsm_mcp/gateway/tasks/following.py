"""News of tasks for modern clients that listen: ``taskIds`` of ``subscriptions/listen``.

SEP-2663, "Task Status Notifications".
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Raw

from vsm_mcp.errors import ProtocolError, TransportError
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.changes import Listener
from vsm_mcp.gateway.messages import decode_object, encode
from vsm_mcp.gateway.tasks.passing import Tasks
from vsm_mcp.gateway.tasks.support import extends, with_extension
from vsm_mcp.gateway.tasks.task import read
from vsm_mcp.gateway.upstream import Call, Channel
from vsm_mcp.wire import era
from vsm_mcp.wire.dialogue import Question

_FOREVER: Final = float("inf")


class Follower:
    """One subscription at one server, for one listener (a :class:`~vsm_mcp.wire.dialogue.Dialogue`).

    ``shown`` maps the server's ids to the client's; ``ended`` is called with the server's id of a task that ended.
    """

    log_level = ""
    wants_progress = False

    def __init__(self, listener: Listener, shown: Mapping[str, str], ended: Callable[[str], None]) -> None:
        self.client = f"{id(listener):x}"
        self.capabilities = with_extension({})
        self._listener = listener
        self._shown = shown
        self._ended = ended

    def notified(self, method: str, params: Raw) -> None:
        """Pass a task's state on."""
        try:
            task = read(params)
        except ProtocolError:
            return
        shown = self._shown.get(task.ident)
        if method == "notifications/tasks" and shown is not None:
            members = {**decode_object(params), "taskId": Raw(encode(shown))}
            members.pop("_meta", None)  # of the subscription between the server and us
            self._listener.task(shown, encode(members))
            if task.ended:
                self._ended(task.ident)

    def asked(self, question: Question) -> None:
        """Refuse: a modern server asks nothing so."""
        question.refuse(era.METHOD_NOT_FOUND, "Method not found")


class Following:
    """Who follows which tasks. A server that is not running is not started for it, and its tasks are not honoured."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._calls: dict[Listener, list[Call]] = {}

    def begin(self, listener: Listener, caller: Caller, wanted: Iterable[str]) -> list[str]:
        """Tell ``listener`` how tasks fare from now on; return which of the ids are honoured."""
        by_channel: dict[Channel, dict[str, str]] = {}
        for shown in wanted:
            held = self._tasks.held_now(shown, caller)
            if held is not None and extends(held.channel.capabilities):
                by_channel.setdefault(held.channel, {})[held.ident] = shown
        honoured: list[str] = []
        for channel, idents in by_channel.items():
            with contextlib.suppress(TransportError):
                self._follow(listener, channel, idents)
                honoured += idents.values()
        return honoured

    def leave(self, listener: Listener) -> None:
        """Tell ``listener`` nothing any more; idempotent."""
        for call in self._calls.pop(listener, ()):
            call.give_up()

    def _follow(self, listener: Listener, channel: Channel, shown: Mapping[str, str]) -> None:
        follower = Follower(listener, shown, lambda ident: self._tasks.settle(channel, ident))
        params = {"notifications": {"taskIds": list(shown)}}
        call = channel.begin("subscriptions/listen", params, timeout=_FOREVER, dialogue=follower)
        call.when_settled(call.give_up)  # the server ended it: the client asks, as it may at any time
        self._calls.setdefault(listener, []).append(call)
