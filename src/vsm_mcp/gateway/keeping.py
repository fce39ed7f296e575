"""Results that are kept: which calls may be answered by one, and what empties them."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.gateway import results, rounds
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.seal import RESPONSES, STATE
from vsm_mcp.gateway.tasks import task
from vsm_mcp.gateway.upstream import Upstream
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.routing_settings import RoutingSettings
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.routing import cache, rewrite
from vsm_mcp.routing.cache import EVERYBODY, Cache, Kept, Key
from vsm_mcp.routing.failover import matches
from vsm_mcp.routing.table import Route
from vsm_mcp.routing.traits import Words

CACHED: Final = "vsm-mcp/cached"
"""The key in a result's ``_meta`` that says that it was kept, and for how many seconds."""
_NOT_PLAIN: Final = frozenset({STATE, RESPONSES, "task"})
_MOST_CALLS: Final = "tools/call"


class _Hints(msgspec.Struct):
    """What a modern server says about how long, and for whom, its result holds ("Caching")."""

    ttl: float | None = msgspec.field(name="ttlMs", default=None)
    scope: str = msgspec.field(name="cacheScope", default="private")


_decode_hints: Final = msgspec.json.Decoder(_Hints, strict=False).decode


class Keeping:
    """The cache of results, off until the settings name tools and a time."""

    def __init__(self, upstream: Upstream, words: Words) -> None:
        self.cache = Cache()
        self.servers: frozenset[str] = frozenset()
        self._settings = RoutingSettings()
        self._upstream = upstream
        self._words = words
        self._offers: Mapping[str, Offer] = {}
        self._tools: frozenset[tuple[str, str]] = frozenset()

    def configure(self, settings: RoutingSettings) -> None:
        """Have other settings count from now on."""
        self._settings = settings
        self.cache.limit = settings.cache_bytes
        self.cache.empty()
        self._fit()

    def show(self, offers: Mapping[str, Offer]) -> None:
        """Take in what is served; of a server whose offer is another one now, nothing is kept."""
        for server in offers.keys() | self._offers.keys():
            if offers.get(server) is not self._offers.get(server):
                self.cache.empty(server)
        self._offers = offers
        self._fit()

    def may_have(self, route: Route, request: Request) -> bool:
        """Say whether the result of a call may be kept."""
        return (
            (route.asked, route.name) in self._tools
            and request.method == _MOST_CALLS
            and not (_NOT_PLAIN & request.params.keys())
            and not self._upstream.stateful(route.server)
        )

    def key(self, route: Route, request: Request, caller: Caller) -> Key | None:
        """Return what a result is kept under; ``None`` for one that is not kept."""
        arguments = cache.canonical(request.params.get("arguments")) if self.may_have(route, request) else None
        if arguments is None:
            return None
        return Key(route.asked, route.name, arguments, caller.principal.name)

    def found(self, key: Key, caller: Caller) -> bytes | Raw | None:
        """Return what is kept, in the client's era, labelled with its age."""
        now = monotonic()
        kept = self.cache.get(key, now)
        if kept is None:
            return None
        body = results.bridged(Raw(kept.raw), _MOST_CALLS, to_modern=caller.modern, from_modern=kept.modern)
        return rewrite.labelled(body, CACHED, {"ageSeconds": round(now - kept.stored, 3)})

    def follow(self, asked: Asked, key: Key | None) -> None:
        """Keep the result of a call once it is there; what may write empties what is kept of its server."""
        server = asked.route.asked
        if server not in self.servers or asked.request.method != _MOST_CALLS:
            return
        writes = not self._words.of(server, asked.route.name).read_only
        if writes:
            self.cache.empty(server)
        turn = self.cache.turn(server)

        def ended(asked: Asked, ending: Ending) -> None:
            fresh = self.cache.turn(server) == turn
            if writes:
                self.cache.empty(server)
            if key is not None and fresh and ending is Ending.ANSWERED:
                self._keep(key, asked)

        asked.tell(ended)

    def _keep(self, key: Key, asked: Asked) -> None:
        raw = asked.begun.result if asked.way == "plain" and not asked.talk.touched else None
        if raw is None or (asked.modern and rounds.marked(raw)) or task.marked(raw):
            return
        now, seconds = monotonic(), self._settings.cache_seconds
        try:
            hints = _decode_hints(raw)
        except UNREADABLE:
            return
        if asked.modern and hints.ttl is not None:
            seconds = min(seconds, max(hints.ttl, 0.0) / 1000)
        if asked.modern and hints.scope == "public":
            key = msgspec.structs.replace(key, principal=EVERYBODY)
        self.cache.put(key, Kept(bytes(raw), asked.modern, now, now + seconds), self.cache.turn(key.server))

    def _fit(self) -> None:
        """Look up which tools of what is served the settings mean."""
        patterns = self._settings.cache_tools if self._settings.cache_seconds > 0 else ()
        self._tools = frozenset(
            (server, item.name)
            for server, offer in (self._offers.items() if patterns else ())
            for item in offer.of(ItemKind.TOOL)
            if matches(patterns, server, item.name) and self._words.of(server, item.name).repeatable
        )
        self.servers = frozenset(server for server, _ in self._tools)
