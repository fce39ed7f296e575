"""Which way calls take, as the settings and the catalogue want it, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import msgspec

from vsm_mcp import events
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.config import Config
from vsm_mcp.errors import UnknownProfile
from vsm_mcp.events import Emit, Event
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.needs import Needs
from vsm_mcp.gateway.traffic import StandIns
from vsm_mcp.gateway.view import View
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.server import Server
from vsm_mcp.routing.balance import Member
from vsm_mcp.runtime.supervisor import Runtime


def endpoint(config: Config, runtime: Runtime, needs: Needs) -> Gateway:
    """Return the gateway in front of what runs."""
    gateway = Gateway(runtime, config.gateway, profiles=config.profiles, needs=needs)
    runtime.on_updated = gateway.updated
    runtime.on_said = gateway.announcements.said
    gateway.router.load = runtime.load
    return gateway


def view(gateway: Gateway, profile: str) -> View:
    """Return what a profile shows (``""``: everything). Raises :class:`UnknownProfile`."""
    found = gateway.find_view(profile)
    if found is None:
        known = ", ".join(filter(None, gateway.views)) or "none is written in vsm-mcp.toml"
        raise UnknownProfile(f"there is no profile {profile!r}", f"profiles: {known}")
    return found


class Routing:
    """Gives the gateway what is served, replicas under one name, and keeps its router up to date.

    ``subscribe`` has a listener hear of what happens.
    """

    def __init__(
        self, gateway: Gateway, fleet: Fleet, config: Config, emit: Emit, subscribe: Callable[[Emit], None]
    ) -> None:
        self._gateway = gateway
        self._router = gateway.router
        self._traffic = gateway.traffic
        self._fleet = fleet
        self._traffic.emit = self._router.breakers.emit = emit
        self.configure(config)
        subscribe(self._hear)

    def configure(self, config: Config) -> None:
        """Have other settings count from now on."""
        self._traffic.configure(config.routing)

    def stand_in(self, known: StandIns) -> None:
        """Ask ``known`` from now on which tools can do the work of others."""
        self._traffic.stand_ins = known

    def show(self, offers: Mapping[str, Offer], denied: tuple[str, ...]) -> None:
        """Serve what servers offer, but for the tools that ``denied`` names; replicas answer under their first's name.

        A replica of a server that is not served is served by itself.
        """
        servers = self._fleet.servers
        replicas = {name: of for name in offers if (of := servers[name].settings.replica_of) and of in offers}
        groups: dict[str, list[Member]] = {}
        for name, of in sorted(replicas.items()):
            members = groups.setdefault(of, [_member(servers[of], offers[of], offers[of])])
            members.append(_member(servers[name], offers[name], offers[of]))
        self._router.group({name: tuple(members) for name, members in groups.items()})
        self._gateway.set_offers({name: each for name, each in offers.items() if name not in replicas}, denied)

    # --- looking ------------------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Return what ``status`` shows: breakers that are not closed, groups of replicas, and what is kept."""
        now, cache = monotonic(), self._traffic.keeping.cache
        return {
            "breakers": [msgspec.to_builtins(each) for each in self._router.breakers.states(now)],
            "groups": [
                {"server": name, "replicas": [self._shown(member) for member in members]}
                for name, members in sorted(self._router.groups.items())
            ],
            "degraded": dict(sorted(self._router.weights.items())),
            "cache": {
                "entries": len(cache),
                "bytes": cache.size,
                "limit_bytes": cache.limit,
                "hits": cache.hits,
                "misses": cache.misses,
            },
        }

    def inspected(self, name: str) -> dict[str, Any]:
        """Return what ``inspect`` shows of one server."""
        settings = self._fleet.get(name).settings
        return {
            "replica_of": settings.replica_of,
            "weight": settings.weight * self._router.weights.get(name, 1.0),
            "priority": settings.priority,
            "breakers": [msgspec.to_builtins(each) for each in self._router.breakers.states(monotonic(), {name})],
        }

    def _shown(self, member: Member) -> dict[str, Any]:
        load, weight = self._router.load(member.server), self._router.weights.get(member.server, 1.0)
        return {
            "server": member.server,
            "weight": member.weight * weight,
            "priority": member.priority,
            "calls": load or 0,
            "able": load is not None and not self._router.breakers.blocked(member.server, "", monotonic()),
        }

    # --- hearing ------------------------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        if isinstance(event, events.ServerStarted):
            self._router.breakers.started(event.server, monotonic())
        elif isinstance(event, events.ToolsChanged):
            self._traffic.keeping.cache.empty(event.server)
        elif isinstance(event, (events.ServerRemoved, events.ServerUpgraded, events.ServerRolledBack)):
            self._traffic.keeping.cache.empty(event.server)
            self._router.forget(event.server)


def _member(server: Server, offer: Offer, first: Offer) -> Member:
    """Return a member of a group; what it defines in other words than the first one, it is not asked for."""
    wanted = {_identity(item) for item in first.items}
    same = frozenset(item.name for item in offer.items if _identity(item) in wanted)
    settings = server.settings
    return Member(server=server.name, weight=settings.weight, priority=settings.priority, tools=same)


def _identity(item: Definition) -> tuple[ItemKind, str, bytes]:
    return item.kind, item.name, item.raw
