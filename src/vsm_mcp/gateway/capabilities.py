"""What a client can do for a server in the middle of a call; pure.

Specification 2026-07-28, "Overview: _meta" (``clientCapabilities`` on every request) and "ClientCapabilities";
2025-11-25, "Lifecycle: Capability Negotiation" (once, at ``initialize``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

Capabilities = Mapping[str, Any]

NONE: Final[Capabilities] = {}
_FORWARDED: Final = ("elicitation", "roots", "sampling")
_EXTENSIONS: Final = frozenset({"io.modelcontextprotocol/ui", era.TASKS})
"""Extensions that pass through: they live in results and resources, or the gateway serves their methods."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def read(raw: Raw | None) -> Capabilities:
    """Return what a client declared, as far as it concerns a server behind the gateway; nothing for junk.

    Before 2025-11-25 ``elicitation: {}`` meant forms, and it still does.
    """
    if raw is None or raw == Raw(b"{}"):
        return NONE
    try:
        declared = _decode(raw)
    except UNREADABLE:
        return NONE
    found: dict[str, Any] = {name: declared[name] for name in _FORWARDED if isinstance(declared.get(name), dict)}
    if found.get("elicitation") == {}:
        found["elicitation"] = {"form": {}}
    extensions = declared.get("extensions")
    if isinstance(extensions, dict):
        known = {name: value for name, value in extensions.items() if name in _EXTENSIONS}
        if known:
            found["extensions"] = known
    return found


def missing(method: str, params: Raw | None, capabilities: Capabilities) -> dict[str, Any] | None:
    """Return the capabilities that a server's request needs and that the client has not; ``None`` when it has all.

    An empty object stands for a request that no client knows.
    """
    if method == "elicitation/create":
        mode = "url" if _members(params).get("mode") == "url" else "form"
        return None if mode in capabilities.get("elicitation", {}) else {"elicitation": {mode: {}}}
    if method == "sampling/createMessage":
        if "sampling" not in capabilities:
            return {"sampling": {}}
        wants_tools = "tools" in _members(params)
        return {"sampling": {"tools": {}}} if wants_tools and "tools" not in capabilities["sampling"] else None
    if method == "roots/list":
        return None if "roots" in capabilities else {"roots": {}}
    return {}


def _members(params: Raw | None) -> dict[str, Any]:
    try:
        return {} if params is None else _decode(params)
    except UNREADABLE:
        return {}
