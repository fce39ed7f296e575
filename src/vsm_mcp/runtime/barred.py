"""Servers that the policy denies: nobody starts them, neither a person nor a call. Pure."""

from __future__ import annotations

from vsm_mcp.config import Policy
from vsm_mcp.errors import PolicyDenied
from vsm_mcp.model.server import Server
from vsm_mcp.policy.patterns import matches


def barred(server: Server, policy: Policy) -> str:
    """Return why a server may not run, as a clause; "" where it may."""
    hit = matches(str(server.ref), policy.deny)
    return f"the policy denies it ([policy] deny holds {hit!r})" if hit else ""


def check(server: Server, policy: Policy) -> None:
    """Raise :class:`PolicyDenied` for a server that may not run."""
    if why := barred(server, policy):
        raise PolicyDenied(f"{server.name} is not started: {why}")
