"""A call of one tool made into a call of another, and its answer labelled with who gave it. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.model.stand_in import StandIn

SERVED_BY: Final = "vsm-mcp/served-by"
"""The key in a result's ``_meta`` that names the server and the tool that answered in place of those asked for."""

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def arguments(given: Raw | None, stand_in: StandIn) -> Raw | None:
    """Return the arguments (a raw JSON object) for a stand-in; ``None`` where they do not fit into it."""
    try:
        members = {} if given is None else _members(given)
    except _UNREADABLE:
        return None
    rewritten = stand_in.rewritten(members)
    return None if rewritten is None else Raw(_encode(rewritten))


def labelled(result: bytes | Raw, key: str, label: Any) -> bytes | Raw:
    """Return a result (a raw JSON object) with ``label`` under ``key`` of its ``_meta``, all else byte for byte."""
    try:
        members = _members(result)
        meta = _members(members["_meta"]) if "_meta" in members else {}
    except _UNREADABLE:
        return result
    meta[key] = Raw(_encode(label))
    members["_meta"] = Raw(_encode(meta))
    return _encode(members)
