"""``input_required``: a result that asks, in place of the server's own requests of earlier versions.

Specification 2026-07-28, "Multi Round-Trip Requests".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway import results
from vsm_mcp.gateway.messages import decode_object, encode
from vsm_mcp.gateway.seal import RESPONSES, STATE
from vsm_mcp.model.unreadable import UNREADABLE

METHODS: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""The requests that may be answered so ("Supported Requests")."""

REQUESTS: Final = "inputRequests"
_MAX_REQUESTS: Final = 64
_MARK: Final = re.compile(rb'"input_required"')
_KIND: Final = Raw(b'"input_required"')


class Ask(msgspec.Struct):
    """One request inside such a result."""

    method: str
    params: Raw = Raw(b"{}")


_decode_asks: Final = msgspec.json.Decoder(dict[str, Ask]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class InputRequired(msgspec.Struct, frozen=True):
    """Such a result: what the server asks, by its own keys, and its state (``None``: it keeps none)."""

    members: dict[str, Raw]
    asks: dict[str, Ask]
    state: str | None


def marked(raw: Raw) -> bool:
    """Return whether a result may be one that asks: one search for a word."""
    return _MARK.search(raw) is not None


def asked(raw: Raw) -> InputRequired | None:
    """Return the questions in a result, or ``None`` for one that is complete. Raises :class:`ProtocolError` for junk.

    Almost every result is told by one search for a word; only where it occurs is anything decoded.
    """
    if not marked(raw):
        return None
    try:
        members = decode_object(raw)
        if members.get("resultType") != _KIND:
            return None
        asks = _decode_asks(members.get(REQUESTS, b"{}"))
        state = _decode_text(members[STATE]) if STATE in members else None
    except UNREADABLE as error:
        raise ProtocolError("the server asks for input in a way that cannot be read") from error
    if len(asks) > _MAX_REQUESTS or (not asks and state is None):
        raise ProtocolError("the server asks for input but for nothing in particular, or for far too much")
    return InputRequired(members, asks, state)


def restated(question: InputRequired, state: str) -> bytes:
    """Return the result with another state in the place of the server's."""
    return encode({**question.members, STATE: state})


def required(asks: Mapping[str, Ask], state: str) -> bytes:
    """Return a result of our own that asks a modern client."""
    members = encode({"resultType": "input_required", REQUESTS: asks, STATE: state})
    return b"".join((members[:-1], b",", results.META, b"}"))


def responses(params: Mapping[str, Raw]) -> dict[str, Raw]:
    """Return a client's answers by key; none for what is no object."""
    try:
        return decode_object(params[RESPONSES]) if RESPONSES in params else {}
    except UNREADABLE:
        return {}
