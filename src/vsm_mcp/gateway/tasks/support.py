"""What servers say about tasks, what that means for a call, and what the gateway says of itself; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

from vsm_mcp.gateway.capabilities import Capabilities
from vsm_mcp.gateway.messages import Request, decode_object, encode
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

Way = Literal["plain", "driven", "passed"]
"""What becomes of a call: no task is in it, the gateway drives its task, or the client gets the task."""

_LEVEL: Final = "taskSupport"
_REQUIRED: Final = Raw(b'"required"')
_OPTIONAL: Final = Raw(b'"optional"')


class Support(msgspec.Struct, frozen=True):
    """What one server declares.

    ``calls``, ``lists`` and ``cancels`` are of 2025-11-25 ("Tasks: Capabilities"): tools may be called as tasks, tasks
    may be listed and cancelled. ``extension`` is the modern era's.
    """

    calls: bool = False
    lists: bool = False
    cancels: bool = False
    extension: bool = False

    def __bool__(self) -> bool:
        return self.calls or self.extension


class Tasking(msgspec.Struct, frozen=True):
    """What is known about tasks of one server; ``required`` are the own names of tools that can only be tasks."""

    support: Support
    required: frozenset[str] = frozenset()


def support_of(offer: Offer) -> Support:
    """Return what a server declared, as far as it belongs to its version: the extension is not of 2025-11-25."""
    try:
        declared = msgspec.json.decode(offer.capabilities, type=dict[str, Any])
    except UNREADABLE:
        return Support()
    if offer.protocol == era.MODERN:
        return Support(extension=extends(declared))
    tasks = _member(declared, "tasks")
    calls = "call" in _member(_member(tasks, "requests"), "tools")
    return Support(calls=calls, lists=calls and "list" in tasks, cancels=calls and "cancel" in tasks)


def extends(capabilities: Capabilities) -> bool:
    """Return whether a modern server or client declares the extension."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, dict) and era.TASKS in extensions


def with_extension(capabilities: Capabilities) -> Capabilities:
    """Return a client's capabilities with the extension among them."""
    return {**capabilities, "extensions": {**_member(capabilities, "extensions"), era.TASKS: {}}}


def cancels(capabilities: Capabilities) -> bool:
    """Return whether a handshake server takes ``tasks/cancel``."""
    return "cancel" in _member(capabilities, "tasks")


def way_of(tasking: Tasking, tool: str, request: Request, *, modern: bool) -> Way:
    """Return what becomes of a request to a handshake server; ``modern`` is the client's era.

    Specification 2025-11-25, "Tasks: Tool-Level Negotiation". A client asks for a task by ``params.task``; nobody can
    in the modern era, where the member means nothing (SEP-2663, "Backward Compatibility").
    """
    if request.method != "tools/call" or not tasking.support.calls:
        return "plain"
    if "task" in request.params and not modern:
        return "passed"
    return "driven" if tool in tasking.required else "plain"


def listed(execution: Raw | None, support: Support) -> tuple[Raw | None, Raw | None, bool]:
    """Return a tool's ``execution`` as modern and as handshake clients get it, and whether it can only be a task.

    A tool that can only be called as a task at its server can be called plainly here, because the gateway drives the
    task. A client that read "required" would refuse to call it so (SDKs do), hence a handshake client reads "optional",
    and a modern one, for which there is no such member, nothing. Where the server takes no tasks at all, the member
    means nothing (specification 2025-11-25, "Tool-Level Negotiation", rule 1), but a client that knows the gateway to
    take some would believe it: nobody gets it.
    """
    members = _opened(execution)
    if _LEVEL not in members:
        return execution, execution, False
    without = {member: value for member, value in members.items() if member != _LEVEL}
    nothing = Raw(encode(without)) if without else None
    required = members[_LEVEL] == _REQUIRED
    if not support.calls:
        kept = nothing if required or members[_LEVEL] == _OPTIONAL else execution
        return kept, kept, False
    if not required:
        return execution, execution, False
    return nothing, Raw(encode({**members, _LEVEL: _OPTIONAL})), True


def declared(taskings: Iterable[Tasking], *, modern: bool) -> dict[str, object]:
    """Return the capabilities that the gateway has by its servers: none where none of them has any."""
    supports = [tasking.support for tasking in taskings]
    if modern:
        return {"extensions": {era.TASKS: {}}} if any(each.extension for each in supports) else {}
    if not any(each.calls for each in supports):
        return {}
    tasks: dict[str, object] = {"requests": {"tools": {"call": {}}}}
    if any(each.lists for each in supports):
        tasks["list"] = {}
    if any(each.cancels for each in supports):
        tasks["cancel"] = {}
    return {"tasks": tasks}


def _opened(execution: Raw | None) -> dict[str, Raw]:
    try:
        return {} if execution is None else decode_object(execution)
    except UNREADABLE:
        return {}


def _member(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = members.get(name)
    return found if isinstance(found, dict) else {}
