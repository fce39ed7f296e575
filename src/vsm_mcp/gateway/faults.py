"""What goes wrong, as a client gets to see it: JSON-RPC errors, and tool results that a model can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import Raw

from vsm_mcp.errors import (
    HttpRefused,
    NotFound,
    Overloaded,
    ProtocolError,
    Refused,
    RequestTimeout,
    RpcError,
    TaskFailed,
    Throttled,
    UsageError,
    VsmError,
)
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.routing.breaker import BreakerOpen
from vsm_mcp.wire import era

FAILURE_KEY: Final = "vsm-mcp/failure"
"""The key in a failed tool result's ``_meta`` under which the failure is described for programs."""

_encode: Final = msgspec.json.Encoder().encode

# Codes that speak about the hop between us and the server: a client must not take them for its own.
_OF_THE_HOP: Final = {
    era.HEADER_MISMATCH: "a message of this gateway",
    era.UNSUPPORTED_VERSION: "the protocol version",
    era.MISSING_CLIENT_CAPABILITY: "a client that cannot do what it needs",
}

_REFUSED: Final = {
    401: ("auth", "the server wants credentials that a person has to give"),
    403: ("auth", "the credentials given do not allow this"),
}


_KINDS: Final = (
    (
        RequestTimeout,
        "timeout",
        "it may have been carried out all the same: look before you repeat it, or ask for less at once",
    ),
    (BreakerOpen, "unavailable", "try again in a while, or use another tool"),
    (Throttled, "quota", "wait before you ask again"),
    (Overloaded, "overload", "try again in a while"),
    (Refused, "policy", "a person has to change the policy"),
    (ProtocolError, "protocol", "the server broke the protocol: try another tool"),
    (UsageError, "usage", "the server lacks a value that a person has to give"),
    (NotFound, "not_found", "ask for the list of tools again"),
    (TaskFailed, "task", TaskFailed.remedy),
)
"""Class of errors → kind of failure, and what to do about it; the first that fits counts."""


_OWN: Final = {
    era.INVALID_PARAMS: ("schema", "compare the arguments with the definition, and correct them"),
    era.METHOD_NOT_FOUND: ("protocol", "the server does not offer this: ask for its lists again"),
    era.INVALID_REQUEST: ("protocol", "the server does not take this request now: try another tool"),
}
"""Codes of JSON-RPC with which a server refuses → class of failure, and what to do about it."""

_REFUSING: Final = "the server itself refuses: other arguments, or another tool, may do"


class _Elsewhere(msgspec.Struct):
    elicitations: list[Raw] = []


_decode_elsewhere: Final = msgspec.json.Decoder(_Elsewhere).decode
_MAX_VISITS: Final = 16


_SPELLINGS: Final = {"kind": "class", "after": "retryAfterSeconds"}


class Fault(VsmError):
    """A client's request is answered with a JSON-RPC error; ``data`` is raw JSON or ``None``."""

    code: ClassVar[str] = "fault"

    def __init__(self, rpc_code: int, message: str, data: bytes | None = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.data = data


class NoSuchTool(Fault):
    """A client named a tool that nobody serves; ``tool`` is the name it gave."""

    code: ClassVar[str] = "no_such_tool"

    def __init__(self, fault: Fault, tool: str) -> None:
        super().__init__(fault.rpc_code, fault.message, fault.data)
        self.tool = tool


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_SPELLINGS):
    """Why a server gave no result: which server, which class of failure, whether to retry, and what to do.

    ``after`` (seconds) is when to try again, where anybody knows; 0 where not, and then it is left out.
    """

    server: str
    kind: str
    code: str
    retryable: bool
    message: str
    hint: str
    after: float = 0.0


def failure_of(error: VsmError, server: str) -> Failure:
    """Describe why ``server`` gave no result.

    ``kind`` is ``timeout``, ``transport``, ``unavailable``, ``auth``, ``quota``, ``overload``, ``policy``,
    ``protocol``, ``usage``, ``not_found``, ``task`` or ``internal``.
    """
    again = f"the server is restarted when it is called again; `vsm-mcp inspect {server}` says more"
    otherwise = ("transport" if error.retryable else "internal", again)
    kind, hint = next((found for kind, *found in _KINDS if isinstance(error, kind)), otherwise)
    if isinstance(error, HttpRefused):
        kind, hint = _REFUSED.get(error.status, (kind, hint))
    return Failure(
        server=server,
        kind=kind,
        code=error.code,
        retryable=error.retryable,
        message=error.message,
        hint=hint if error.hint == error.remedy else error.hint,
        after=round(_seconds_of(error), 3),
    )


def _seconds_of(error: VsmError) -> float:
    return error.seconds if isinstance(error, BreakerOpen) else error.after if isinstance(error, Throttled) else 0.0


def tool_failure(failure: Failure, *, modern: bool) -> bytes:
    """Return the result of a tool call that did not reach its tool, as an ``isError`` result.

    A model sees results and seldom sees protocol errors, so this is where it can act on one (specification,
    "Tools: Error Handling").
    """
    retry = "trying again may help" if failure.retryable else "trying again will not help"
    text = f"Server {failure.server} failed ({failure.kind}): {failure.message}. {retry}; {failure.hint}."
    result: dict[str, object] = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {FAILURE_KEY: failure},
    }
    if modern:
        result["resultType"] = "complete"
    return _encode(result)


def failure_fault(failure: Failure) -> Fault:
    """Return the same as a JSON-RPC error, for what is no tool call."""
    retry = "may be retried" if failure.retryable else "not worth retrying"
    message = f"server {failure.server} failed ({failure.kind}, {retry}): {failure.message}; {failure.hint}"
    return Fault(era.INTERNAL_ERROR, message, _encode(failure))


def passed_on(error: RpcError, server: str, method: str, *, modern: bool) -> Fault:
    """Return a server's own JSON-RPC error for a client of the given era.

    Code, message and data pass unchanged but for two rules: a resource that is not found is -32602 in the modern era
    and -32002 before it (specification 2026-07-28, changelog), and a complaint about our own hop is no complaint
    about the client (what the client lacks is one, and only a modern client knows its code). Where the server said
    nothing more, the data say which server it was, the class of the failure, and what to do.
    """
    code = error.rpc_code
    if code in _OF_THE_HOP and not (modern and code == era.MISSING_CLIENT_CAPABILITY):
        message = f"server {server} refused {_OF_THE_HOP[code]}: {error.message}"
        return Fault(era.INTERNAL_ERROR, message, _of_server(server, era.INTERNAL_ERROR, method))
    if modern and code == era.RESOURCE_NOT_FOUND:
        code = era.INVALID_PARAMS
    elif not modern and code == era.INVALID_PARAMS and method == "resources/read":
        code = era.RESOURCE_NOT_FOUND
    data = error.data if error.data is not None else _of_server(server, error.rpc_code, method)
    return Fault(code, error.message, data)


def url_elicitations(error: RpcError) -> list[Raw]:
    """Return the visits to URLs that a server of 2025-11-25 makes a condition (-32042), as elicitation params."""
    if error.rpc_code != era.URL_ELICITATION_REQUIRED:
        return []
    try:
        return _decode_elsewhere(error.data or b"").elicitations[:_MAX_VISITS]
    except UNREADABLE:
        return []


def unknown_tool(name: str, alike: Sequence[str]) -> Fault:
    """Return the error for a tool that nobody serves (specification, "Tools: Error Handling": -32602)."""
    return NoSuchTool(_unknown("tool", name, alike, era.INVALID_PARAMS), name)


def unknown_prompt(name: str, alike: Sequence[str]) -> Fault:
    """Return the error for a prompt that nobody serves."""
    return _unknown("prompt", name, alike, era.INVALID_PARAMS)


def unknown_resource(uri: str, alike: Sequence[str], *, modern: bool) -> Fault:
    """Return the error for a resource that nobody serves: -32602 in the modern era, -32002 before it."""
    return _unknown("resource", uri, alike, era.INVALID_PARAMS if modern else era.RESOURCE_NOT_FOUND)


def denied_tool(name: str) -> Fault:
    """Return the error for a tool that exists and that policy, or the key that was presented, does not cover."""
    hint = "a person can change [policy] deny_tools, or give a key that covers it"
    return Fault(
        era.INVALID_PARAMS,
        f"the policy of this gateway does not serve you the tool {name}",
        _encode({"class": "policy", "retryable": False, "hint": hint}),
    )


def frozen_item(kind: str, name: str, server: str) -> Fault:
    """Return the error for an item that differs from what was approved, and that nobody has approved as it is now."""
    shown = name if len(name) <= 200 else name[:199] + "…"
    hint = f"a person can look at it (vsm-mcp inspect {server}), then approve it (vsm-mcp approve {server})"
    return Fault(
        era.INVALID_PARAMS,
        f"the {kind} {shown} is frozen: {server} changed it after it was approved, or added it later; {hint}",
        _encode({"server": server, "class": "policy", "retryable": False, "hint": hint}),
    )


def _unknown(kind: str, name: str, alike: Sequence[str], code: int) -> Fault:
    shown = name if len(name) <= 200 else name[:199] + "…"
    nearest = f"; closest: {', '.join(alike)}" if alike else ""
    data = {
        "class": "not_found",
        "retryable": False,
        "closest": list(alike),
        "hint": f"ask for the list of {kind}s again",
    }
    if kind == "resource":
        data["uri"] = shown
    return Fault(code, f"unknown {kind}: {shown}{nearest}", _encode(data))


def _of_server(server: str, code: int, method: str) -> bytes:
    """Describe an error of a server's own: it understood the request, or its arguments, or the method not at all."""
    kind, hint = _OWN.get(code) or (("tool", _REFUSING) if method == "tools/call" else ("server", _REFUSING))
    return _encode({"server": server, "class": kind, "retryable": False, "hint": hint})
