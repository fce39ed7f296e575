"""A call of one server's tool as a call of another's, and an answer that says who gave it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.model.stand_in import StandIn

SERVED_BY: Final = "vsm-mcp/served-by"
"""The member of a result's ``_meta`` that names the server which answered in the place of the one asked for."""

_encode: Final = msgspec.json.Encoder().encode
_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode


def rewritten(params: Mapping[str, Raw], stand_in: StandIn) -> dict[str, Raw] | None:
    """Return the params of ``tools/call`` for the tool that stands in.

    ``None`` where an argument has no place in it, or where the arguments are no object.
    """
    try:
        given = _members(params.get("arguments", Raw(b"{}")))
        arguments = stand_in.rewritten(given)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if arguments is None:
        return None
    return {**params, "name": Raw(_encode(stand_in.tool)), "arguments": Raw(_encode(arguments))}


def labelled(result: bytes | Raw, server: str) -> bytes:
    """Return a result whose ``_meta`` says that ``server`` gave it; one that is no object stays as it is."""
    try:
        members = _members(result)
        meta = _members(members.get("_meta", Raw(b"{}")))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return bytes(result)
    return _encode({**members, "_meta": {**meta, SERVED_BY: server}})
