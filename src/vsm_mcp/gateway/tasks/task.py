"""A task as its server describes it, in the words of either version; pure.

Specification 2025-11-25, "Tasks: Data Types"; SEP-2663, "Tasks".
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway.messages import decode_object
from vsm_mcp.gateway.rounds import Ask
from vsm_mcp.model.unreadable import UNREADABLE

LEAST_SECONDS: Final = 0.1
"""A server is not asked more often than this, whatever it suggests."""

_USUAL_SECONDS: Final = 1.0
_MOST_SECONDS: Final = 10.0
_LONGEST: Final = 1e12
_MAX_ID: Final = 1024
_MAX_ASKS: Final = 64
_MARK: Final = re.compile(rb'"task"')
_KIND: Final = Raw(b'"task"')

Status = Literal["working", "input_required", "completed", "failed", "cancelled"]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a task.

    ``interval`` is how many seconds to wait before the next look, ``ttl`` how many it is kept from its creation on
    (``None``: for ever, or nobody said). ``asks`` are the modern era's open questions; ``result`` and ``error`` are raw
    JSON, empty where there is none.
    """

    ident: str
    status: Status
    message: str = ""
    interval: float = _USUAL_SECONDS
    ttl: float | None = None
    asks: dict[str, Ask] = {}
    result: Raw = Raw(b"")
    error: Raw = Raw(b"")

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more ("terminal")."""
        return self.status not in {"working", "input_required"}


class _Words(msgspec.Struct):
    taskId: str  # noqa: N815 - the protocol's spelling
    status: Status
    statusMessage: Any = None  # noqa: N815
    pollInterval: Any = None  # noqa: N815
    pollIntervalMs: Any = None  # noqa: N815
    ttl: Any = None
    ttlMs: Any = None  # noqa: N815
    inputRequests: dict[str, Ask] = {}  # noqa: N815
    result: Raw = Raw(b"")
    error: Raw = Raw(b"")


class _Created(msgspec.Struct):
    task: Raw = Raw(b"")


_decode: Final = msgspec.json.Decoder(_Words).decode
_decode_created: Final = msgspec.json.Decoder(_Created).decode


def read(raw: Raw) -> Task:
    """Return the task that an answer or a notification describes. Raises :class:`ProtocolError` for junk."""
    try:
        words = _decode(raw)
    except UNREADABLE as error:
        raise ProtocolError(f"the server describes its task in a way that cannot be read: {error}") from error
    if not words.taskId or len(words.taskId) > _MAX_ID or len(words.inputRequests) > _MAX_ASKS:
        raise ProtocolError("the server's task has no usable id, or asks far too much at once")
    return Task(
        ident=words.taskId,
        status=words.status,
        message=words.statusMessage if isinstance(words.statusMessage, str) else "",
        interval=_interval(words.pollInterval if words.pollIntervalMs is None else words.pollIntervalMs),
        ttl=_seconds(words.ttl if words.ttlMs is None else words.ttlMs),
        asks=words.inputRequests,
        result=words.result,
        error=words.error,
    )


def made(raw: Raw, *, modern: bool) -> Task | None:
    """Return the task that was made in place of a result, or ``None`` for a result. Raises :class:`ProtocolError`."""
    try:
        if modern:
            is_task = marked(raw) and decode_object(raw).get("resultType") == _KIND
            return read(raw) if is_task else None
        task = _decode_created(raw).task
    except UNREADABLE as error:
        raise ProtocolError("the server answered with a result that is no object") from error
    return read(task) if task else None


def marked(raw: Raw) -> bool:
    """Return whether a modern result may be a task: one search for a word."""
    return _MARK.search(raw) is not None


def _interval(milliseconds: object) -> float:
    seconds = _seconds(milliseconds)
    return _USUAL_SECONDS if seconds is None else min(max(seconds, LEAST_SECONDS), _MOST_SECONDS)


def _seconds(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return None
    return min(max(milliseconds, 0), _LONGEST) / 1000
