"""What of a request is meant for the server: the rest speaks about the hop between the client and us; pure."""

from __future__ import annotations

from vsm_mcp.gateway.messages import Request


def params(request: Request) -> dict[str, object]:
    """Return a request's params for the next hop; of ``_meta``, what the client means for the server."""
    found: dict[str, object] = dict(request.params)
    said = request.said
    if said is not None and said.onward:
        found["_meta"] = said.onward
    return found
