"""What of a request is meant for the server: the rest speaks about the hop between the client and us; pure."""

from __future__ import annotations

from typing import Final

from vsm_mcp.gateway.messages import Request
from vsm_mcp.wire import era

_OURS: Final = frozenset(
    {era.META_PROTOCOL, era.META_CLIENT_INFO, era.META_CLIENT_CAPABILITIES, era.META_LOG_LEVEL, "progressToken"}
)
"""Members of a client's ``_meta`` that are written anew for the next hop."""


def params(request: Request) -> dict[str, object]:
    """Return a request's params for the next hop; of ``_meta``, what the client means for the server."""
    found: dict[str, object] = dict(request.params)
    if request.meta is not None:
        kept = {member: value for member, value in request.meta.items() if member not in _OURS}
        if kept:
            found["_meta"] = kept
    return found
