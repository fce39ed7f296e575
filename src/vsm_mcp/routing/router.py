"""Who really answers: a route of the table names a server, the router says which target takes this very call.

It is asked by every call, so the plain case (nothing on rollout) is one lookup. Mutable: whoever decides about rollouts
swaps a server's share whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from vsm_mcp.routing.ledger import Ledger
from vsm_mcp.routing.shares import Share
from vsm_mcp.routing.table import Route


class Router:
    """Directs calls, and keeps the ledger of what became of them."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._shares: dict[str, Share] = {}
        self._weights: dict[str, float] = {}

    @property
    def shares(self) -> Mapping[str, Share]:
        """The rollouts that take calls now, by the server whose calls they take."""
        return self._shares

    def share(self, server: str, share: Share | None) -> None:
        """Give a part of a server's calls to a newcomer, or none any more."""
        if share is None:
            self._shares.pop(server, None)
        else:
            self._shares[server] = share

    def degrade(self, server: str, weight: float) -> None:
        """Have a server count for ``weight`` (0 to 1) of itself among those that can do its work; 1: whole again."""
        if weight >= 1.0:
            self._weights.pop(server, None)
        else:
            self._weights[server] = max(weight, 0.0)

    @property
    def weights(self) -> Mapping[str, float]:
        """The servers that are degraded, and for how much of themselves they count."""
        return self._weights

    def directed(self, route: Route, caller: str) -> Route:
        """Return the route that a call of ``caller`` takes; ``origin`` of another one names the server asked for."""
        share = self._shares.get(route.server)
        if share is None or route.name not in share.tools or not share.takes(caller):
            return route
        return Route(share.newcomer, route.name, route.server)
