"""What becomes of a definition that differs from what was approved. Pure."""

from __future__ import annotations

from typing import Final, Literal

from vsm_mcp.config import Policy
from vsm_mcp.model.definition import ItemKind

Rule = Literal["ask", "deny", "allow"]
_RESOURCE: Final = f"{ItemKind.RESOURCE.value}:"


def setting(key: str, *, changed: bool) -> str:
    """Return the name of the setting (of ``[policy]``) that decides about an item by its key (``tool:NAME``)."""
    return f"{'changed' if changed else 'new'}_{'resources' if key.startswith(_RESOURCE) else 'items'}"


def rule(key: str, policy: Policy, *, changed: bool) -> Rule:
    """Return what the policy says to an item that is ``changed``, or else new."""
    said: Rule = getattr(policy, setting(key, changed=changed))
    return said
