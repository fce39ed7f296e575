"""What a grant covers. Pure; names are compared as they are, upper and lower case being different."""

from __future__ import annotations

from fnmatch import fnmatchcase

from vsm_mcp.model.principal import Grant


def covers_profile(grant: Grant, profile: str) -> bool:
    """Say whether a grant covers a profile (``""``: the endpoint without one)."""
    return "*" in grant.profiles or any(fnmatchcase(profile, pattern) for pattern in grant.profiles)


def covers_tool(grant: Grant, *names: str) -> bool:
    """Say whether a grant covers a tool that goes by ``names``, each ``SERVER__TOOL``; deny wins.

    ``SERVER__`` alone asks whether it covers the server as a whole.
    """
    if any(fnmatchcase(name, pattern) for name in names for pattern in grant.deny_tools):
        return False
    return any(fnmatchcase(name, pattern) for name in names for pattern in grant.allow_tools)


def covers_every_tool(grant: Grant) -> bool:
    """Say whether a grant leaves out no tool, whatever tools there are."""
    return "*" in grant.allow_tools and not grant.deny_tools
