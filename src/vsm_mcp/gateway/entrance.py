"""The way in over HTTP: who a request comes from, whether there is room for it, and what it sees.

Where nobody is asked (:data:`~vsm_mcp.model.principal.LOCAL`) there is nothing to do but to find the view. Where
everybody is, a request that was let in carries its :class:`~vsm_mcp.gateway.visitors.Visit` in its scope, so that it is
counted once, whichever way it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from vsm_mcp.gateway import messages
from vsm_mcp.gateway.asgi import VISIT, WHOLE, Scope
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.refusals import Refusal
from vsm_mcp.gateway.turn import Turn
from vsm_mcp.gateway.view import View
from vsm_mcp.gateway.visitors import Visit
from vsm_mcp.model.principal import LOCAL, Principal

PATH: Final = "/mcp"


class Entrance:
    """Lets requests in. Without an ``authentication`` nobody is asked."""

    def __init__(self, gateway: Gateway, authentication: Authentication | None = None) -> None:
        self._gateway = gateway
        self.authentication = authentication

    def quickly(self, turn: Turn) -> View | None:
        """Let a request in without waiting; returns what it sees, or ``None`` when :meth:`enter` has to be awaited.

        Raises :class:`Refusal`, as :meth:`enter` and :meth:`view` will.
        """
        path = turn.head.path
        if self.authentication is None and path == PATH:
            return self._gateway.view
        profile = profile_of(path, PATH)
        if profile is None:
            return None
        scope = turn.scope
        if self.authentication is not None:
            principal = self.authentication.known(scope, turn.head.fields)
            if principal is None:
                return None
            scope[VISIT] = self._gateway.visitors.enter(principal)
        return self.view(profile, scope)

    async def enter(self, profile: str, scope: Scope, headers: Mapping[bytes, bytes]) -> Visit | None:
        """Let a request to a profile in, which the current task answers; ``None`` where nobody is asked.

        Raises :class:`Refusal` for whoever is not known (401, 403), or asks too much (429).
        """
        if self.authentication is None:
            return None
        visit: Visit | None = scope.get(VISIT)
        if visit is None:
            principal = await self.authentication.principal(scope, headers, profile)
            try:
                visit = scope[VISIT] = self._gateway.visitors.enter(principal)
            except Refusal as refusal:
                refusal.ident = messages.ident_of(scope.get(WHOLE, b""))
                raise
        task = asyncio.current_task()
        if task is not None:
            visit.cut = task.cancel
        return visit

    def view(self, profile: str, scope: Scope) -> View:
        """Return what a profile shows to whoever was let in; raises :class:`Refusal` (403, 404)."""
        return self._gateway.narrowings.view(profile, principal_of(scope))


def principal_of(scope: Scope) -> Principal:
    """Return who makes a request that was let in."""
    visit: Visit | None = scope.get(VISIT)
    return LOCAL if visit is None else visit.principal


def stay(scope: Scope) -> None:
    """Take note that a request that was let in becomes a stream; raises :class:`Refusal` (429) for one too many."""
    visit: Visit | None = scope.get(VISIT)
    if visit is not None:
        visit.stay()


def most_bytes(visit: Visit | None) -> int:
    """Return how large the body of a request that was let in may be; 0: no limit of its own."""
    return 0 if visit is None else visit.principal.grant.max_body_bytes


def profile_of(path: str, root: str) -> str | None:
    """Return the profile that a path below ``root`` names, ``""`` for ``root`` itself, ``None`` for any other path."""
    if path == root:
        return ""
    return path[len(root) + 1 :] if path.startswith(f"{root}/") else None
