"""A call of one server's tool as a call of another's, and an answer that says who gave it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.model.unreadable import UNREADABLE

SERVED_BY: Final = "vsm-mcp/served-by"
"""The key in a result's ``_meta`` that names the server and the tool that answered in place of those asked for."""

_encode: Final = msgspec.json.Encoder().encode
_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode


def rewritten(params: Mapping[str, Raw], stand_in: StandIn) -> dict[str, Raw] | None:
    """Return the params of ``tools/call`` for the tool that stands in.

    ``None`` where an argument has no place in it, or where the arguments are no object.
    """
    try:
        arguments = stand_in.rewritten(_members(params.get("arguments", Raw(b"{}"))))
    except UNREADABLE:
        return None
    if arguments is None:
        return None
    return {**params, "name": Raw(_encode(stand_in.tool)), "arguments": Raw(_encode(arguments))}


def served_by(result: bytes | Raw, server: str, tool: str) -> bytes | Raw:
    """Return a result that says which tool of which server gave it."""
    return labelled(result, SERVED_BY, {"server": server, "tool": tool})


def labelled(result: bytes | Raw, key: str, label: Any) -> bytes | Raw:
    """Return a result (a raw JSON object) with ``label`` under ``key`` of its ``_meta``, all else byte for byte."""
    try:
        members = _members(result)
        meta = _members(members["_meta"]) if "_meta" in members else {}
    except UNREADABLE:
        return result
    meta[key] = Raw(_encode(label))
    members["_meta"] = Raw(_encode(meta))
    return _encode(members)
