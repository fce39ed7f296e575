"""Single resources that clients want to hear of, and the servers that have them.

A server is asked once for each resource, however many clients listen (specification 2026-07-28, "Subscriptions":
``resourceSubscriptions``; 2025-11-25, "Resources: Subscriptions").
"""

from __future__ import annotations

from typing import Final

from vsm_mcp.gateway.changes import Listener
from vsm_mcp.gateway.upstream import Upstream
from vsm_mcp.gateway.view import View
from vsm_mcp.routing.table import Route

MAX_EACH: Final = 1000
"""Resources that one client may listen to."""


class Updates:
    """Who listens to which resource."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._heard: dict[Route, dict[Listener, str]] = {}
        self._by_listener: dict[Listener, dict[str, Route]] = {}

    def listen(self, listener: Listener, view: View, uri: str) -> bool:
        """Tell ``listener`` when ``uri`` (as it is exposed) changes; ``False`` where nobody would say so."""
        route = view.catalogue.table.resource(uri)
        listened = self._by_listener.get(listener, {})
        if route is None or not view.catalogue.subscribable(route.server) or len(listened) >= MAX_EACH:
            return False
        self._by_listener.setdefault(listener, {})[uri] = route
        heard = self._heard.setdefault(route, {})
        if not heard:
            self._upstream.watch(route.server, route.name)
        heard[listener] = uri
        return True

    def unlisten(self, listener: Listener, uri: str) -> None:
        """Tell ``listener`` no more of ``uri``; idempotent."""
        listened = self._by_listener.get(listener, {})
        route = listened.pop(uri, None)
        if route is None:
            return
        heard = self._heard[route]
        heard.pop(listener, None)
        if not heard:
            del self._heard[route]
            self._upstream.unwatch(route.server, route.name)

    def leave(self, listener: Listener) -> None:
        """Tell ``listener`` nothing any more; idempotent."""
        for uri in tuple(self._by_listener.get(listener, {})):
            self.unlisten(listener, uri)
        self._by_listener.pop(listener, None)

    def hand_over(self, old: Listener, new: Listener) -> None:
        """Tell ``new`` what ``old`` wanted to hear."""
        listened = self._by_listener.pop(old, None)
        if listened:
            self._by_listener[new] = listened
            for uri, route in listened.items():
                self._heard[route].pop(old, None)
                self._heard[route][new] = uri

    def listens(self, listener: Listener) -> bool:
        """Return whether ``listener`` waits for any resource."""
        return bool(self._by_listener.get(listener))

    def updated(self, server: str, uri: str) -> None:
        """Tell whoever listens that a resource of ``server`` changed, or one below it (2025-11-25: "sub-resource")."""
        for route, heard in tuple(self._heard.items()):
            if route.server == server and _covers(route.name, uri):
                for listener, exposed in heard.items():
                    listener.updated(exposed + uri[len(route.name) :])


def _covers(watched: str, uri: str) -> bool:
    return uri == watched or uri.startswith(watched if watched.endswith("/") else f"{watched}/")
