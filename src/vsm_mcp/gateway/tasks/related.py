"""The ids of tasks inside results, notifications, questions and answers; pure.

Specification 2025-11-25, "Tasks: Related Task Metadata". What cannot be read passes as it is.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Raw

from vsm_mcp.gateway.messages import decode_object, encode
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era
from vsm_mcp.wire.dialogue import Question

_MARK: Final = re.compile(re.escape(era.META_RELATED_TASK.encode()))


def named(raw: Raw, ident: str) -> Raw:
    """Return a task with another id."""
    try:
        members = decode_object(raw)
    except UNREADABLE:
        return raw
    return Raw(encode({**members, "taskId": ident})) if "taskId" in members else raw


def made(raw: Raw, ident: str) -> Raw:
    """Return a handshake server's answer to the call that made a task, with another id in it."""
    try:
        members = decode_object(raw)
    except UNREADABLE:
        return raw
    if "task" not in members:
        return raw
    return related(Raw(encode({**members, "task": named(members["task"], ident)})), ident)


def related(raw: Raw, ident: str) -> Raw:
    """Return an object that names another task in its ``_meta``, if it names one there."""
    return _with_meta(raw, {era.META_RELATED_TASK: Raw(encode({"taskId": ident}))}) if _mentions(raw) else raw


def stripped(raw: Raw) -> Raw:
    """Return an object without the mention of its task: for a client that asked for none."""
    return _with_meta(raw, {}) if _mentions(raw) else raw


def belonging(raw: Raw, ident: str) -> Raw:
    """Return an object that says to which task it belongs."""
    return _with_meta(raw, {era.META_RELATED_TASK: Raw(encode({"taskId": ident}))})


def translated(question: Question, params: Raw, ident: str) -> Question:
    """Return a server's question with other params; what answers it says that it belongs to the task ``ident``."""
    asked = Question(
        question.ident,
        question.method,
        params,
        lambda _ident, result: question.answer(belonging(Raw(result), ident)),
        lambda _ident, code, message, data: question.refuse(code, message, data),
    )
    question.on_withdrawn = asked.withdraw
    return asked


def _mentions(raw: Raw) -> bool:
    return _MARK.search(raw) is not None


def _with_meta(raw: Raw, changes: dict[str, Raw]) -> Raw:
    try:
        members = decode_object(raw)
        meta = decode_object(members["_meta"]) if "_meta" in members else {}
    except UNREADABLE:
        return raw
    meta.pop(era.META_RELATED_TASK, None)
    meta.update(changes)
    members.pop("_meta", None)
    return Raw(encode({**members, "_meta": meta} if meta else members))
