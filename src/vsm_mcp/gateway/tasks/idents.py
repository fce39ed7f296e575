"""The ids under which tasks are known outside: a server's own id, for one client only.

Specification 2025-11-25, "Tasks: Task Isolation and Access Control", and SEP-2663, "Security Implications": an id is
a bearer token, so it cannot be guessed, and it is bound to whoever made the task where that is known.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

import msgspec

from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.stamp import Stamp
from vsm_mcp.model.principal import LOCAL
from vsm_mcp.model.unreadable import UNREADABLE

_encode: Final = msgspec.json.Encoder().encode


class Named(NamedTuple):
    """A task by its server, and by the id that this server gave it."""

    server: str
    ident: str


_decode: Final = msgspec.json.Decoder(Named).decode


class TaskIds:
    """Closes and opens ids with one ``key`` (default: one of this process); the id of a task is the same each time.

    Its owner is not written in it, because a session's id is a secret.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._stamp = Stamp(hmac.digest(key, b"tasks", "sha256") if key else b"")

    def close(self, named: Named, owner: str) -> str:
        """Return the id for its owner."""
        return self._stamp.close(_encode(named), owner.encode())

    def open(self, text: str, owner: str) -> Named | None:
        """Return what the id stands for, or ``None`` for one that ``owner`` was not given."""
        body = self._stamp.open(text, owner.encode())
        try:
            return None if body is None else _decode(body)
        except UNREADABLE:
            return None


def owner_of(caller: Caller) -> str:
    """Return whose a client's tasks are: its principal's, else its session's or line's, else everybody's.

    A principal keeps its tasks from one session to the next. For those who have nothing at all (modern clients over
    HTTP without a key), the id alone opens a task.
    """
    return caller.who if caller.principal is LOCAL else f"principal {caller.principal.name}"
