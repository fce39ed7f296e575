"""What the policy is asked about an admission: by whom, of what, and what is known of it beforehand."""

from __future__ import annotations

import time

from vsm_mcp.autopilot.known import known_facts
from vsm_mcp.autopilot.outcome import Request
from vsm_mcp.config import Config
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.launch import Settings
from vsm_mcp.runtime.permissions import permitted, profile_of


def asked(request: Request, settings: Settings, config: Config) -> Action:
    """Return the admission of what is requested, with these settings."""
    kind = ActionKind.ACQUIRE if request.need else ActionKind.ADD
    facts = facts_of(request, settings, config)
    return Action(kind=kind, subject=str(request.ref), actor=request.actor, facts=facts)


def facts_of(request: Request, settings: Settings, config: Config) -> dict[str, str | bool | float]:
    """Return what the policy decides by."""
    granted = permitted(settings, profile_of(settings, config))
    return {
        "ref": str(request.ref),
        "scripts": settings.allow_scripts,
        "network": bool(granted.hosts) or granted.network,
        "whole_network": granted.whole_network,
        "permissions": settings.permissions,
        "unsandboxed": settings.allow_unsandboxed,
        "secrets": bool(settings.secrets),
        "curated": bool(request.known and request.known.curated),
        "approved": request.approved,
        **(known_facts(request.known, time.time()) if request.known is not None else {}),
        **({"confidence": request.confidence} if request.confidence is not None else {}),
    }
