"""Who really answers: a route of the table names a server, the router says which target takes this very call.

It is asked by every call, so the plain case (nothing special about a server) is one look into :attr:`Router.special`.
Mutable: whoever decides about rollouts, replicas and weights swaps what there is about a server whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from vsm_mcp.routing.balance import Load, Member, choose, without
from vsm_mcp.routing.breakers import Breakers
from vsm_mcp.routing.ledger import Ledger
from vsm_mcp.routing.shares import Share
from vsm_mcp.routing.table import Route


def _idle(_server: str) -> int:
    """Say that every server can answer, and works on nothing."""
    return 0


class Router:
    """Directs calls, and keeps the ledger of what became of them, and the breakers that follow from it.

    ``special`` holds the servers whose calls need more than their route: of any other one, the route is the answer.
    ``load`` says how busy a server is, ``sticky`` whether a client keeps to one of several replicas.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.breakers = Breakers(self.ledger, self._mark)
        self.special: set[str] = set()
        self.load: Load = _idle
        self.sticky = True
        self._shares: dict[str, Share] = {}
        self._groups: dict[str, tuple[Member, ...]] = {}
        self._weights: dict[str, float] = {}
        self._watched: frozenset[str] = frozenset()

    # --- what is decided elsewhere ------------------------------------------------------------------------------------

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
        self._mark(server)

    @property
    def groups(self) -> Mapping[str, tuple[Member, ...]]:
        """The servers that answer together, by the one whose name they bear; that one is among them."""
        return self._groups

    def group(self, groups: Mapping[str, tuple[Member, ...]]) -> None:
        """Have exactly these groups."""
        before, self._groups = self._groups, dict(groups)
        for server in before.keys() | groups.keys():
            self._mark(server)

    def degrade(self, server: str, weight: float) -> None:
        """Have a server count for ``weight`` (0 to 1) of itself among those that can do its work; 1: whole again.

        It loses traffic, not its name: where nobody else is there, it serves as before.
        """
        if weight >= 1.0:
            self._weights.pop(server, None)
        else:
            self._weights[server] = max(weight, 0.0)
        self._mark(server)

    @property
    def weights(self) -> Mapping[str, float]:
        """The servers that are degraded, and for how much of themselves they count."""
        return self._weights

    def watch(self, servers: Collection[str]) -> None:
        """Hold the calls of exactly these servers for special, whatever else there is about them."""
        before, self._watched = self._watched, frozenset(servers)
        for server in before | self._watched:
            self._mark(server)

    def forget(self, server: str) -> None:
        """Forget what was seen of a server that is gone, or is another one now."""
        self.breakers.forget(server)
        self._weights.pop(server, None)
        self._mark(server)

    # --- a call -------------------------------------------------------------------------------------------------------

    def directed(self, route: Route, caller: str, now: float = 0.0, besides: Collection[str] = ()) -> Route:
        """Return the route that a call of ``caller`` takes; ``origin`` of another one names the server asked for.

        ``now`` is in seconds of a steady clock. ``besides`` are servers that have failed this call already: they are
        asked again only where nobody else is.
        """
        asked = route.asked
        members = self._groups.get(asked)
        if members is not None:
            able = [each for each in members if each.server == asked or route.name in each.tools]
            left = without(able, besides) if besides else able
            found = self._chosen(left or able, route.name, caller, now)
            if found is not None and found != asked:
                return Route(found, route.name, asked)
        share = self._shares.get(asked)
        if share is None or route.name not in share.tools or share.newcomer in besides or not share.takes(caller):
            return Route(asked, route.name) if route.origin else route
        return Route(share.newcomer, route.name, asked)

    def _chosen(self, able: Sequence[Member], tool: str, caller: str, now: float) -> str | None:
        """Return who of those that can gets a call; one that is left alone cannot answer, until it gets its probe."""

        def load(server: str) -> int | None:
            return None if self.breakers.blocked(server, tool, now) else self.load(server)

        weights = self._weights
        if weights:
            able = [msgspec.structs.replace(each, weight=each.weight * weights.get(each.server, 1.0)) for each in able]
        found = choose(able, caller, load, sticky=self.sticky)
        return None if found is None else found.server

    def _mark(self, server: str) -> None:
        special = (
            server in self._shares
            or server in self._groups
            or server in self._watched
            or self._weights.get(server) == 0.0
            or self.breakers.any_of(server)
        )
        (self.special.add if special else self.special.discard)(server)
