"""Which side of a rollout answers a call, and what is done beside: arguments mapped, answers labelled, calls copied."""

from __future__ import annotations

from msgspec import Raw

from vsm_mcp.gateway.messages import Request
from vsm_mcp.routing.rewrite import rewritten, served_by
from vsm_mcp.routing.router import Router
from vsm_mcp.routing.shares import Share
from vsm_mcp.routing.table import Route


class Sides:
    """Reads the router's shares. A server that is in no rollout costs one lookup."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def settled(self, asked: Route, directed: Route, request: Request, holder: str) -> tuple[Route, Request]:
        """Return the side that takes a request of ``asked`` which the router has ``directed``, and what it is asked.

        A round of a call goes back to its ``holder``, whoever takes new calls by now. Where the newcomer is a rival,
        the request is rewritten; one that it has no place for stays with the incumbent.
        """
        share = self._router.shares.get(asked.server)
        if share is None:
            return directed, request
        if holder == asked.server or request.method != "tools/call":
            return asked, request
        if share.newcomer not in (holder, directed.server):
            return directed, request
        if not share.stand_ins:
            return Route(share.newcomer, asked.name, asked.server), request
        stand_in = share.stand_ins.get(asked.name)
        params = None if stand_in is None else rewritten(request.params, stand_in)
        if stand_in is None or params is None:
            return asked, request
        other = Request(request.id, request.method, params, request.meta)
        return Route(stand_in.server, stand_in.tool, asked.server), other

    def looks_on(self, route: Route) -> bool:
        """Return whether something is done with the answer, so that it has to pass through :meth:`answered`."""
        share = self._router.shares.get(route.asked)
        return share is not None and (share.copy is not None or _stands_in(share, route))

    def params(self, route: Route, request: Request) -> dict[str, Raw] | None:
        """Return what the newcomer gets a copy of, before the request goes on its way; ``None``: of nothing."""
        share = self._router.shares.get(route.asked)
        if share is None or share.copy is None or route.server == share.newcomer or route.name not in share.copied:
            return None
        return dict(request.params)

    def answered(self, route: Route, copied: dict[str, Raw] | None, result: bytes | Raw) -> bytes | Raw:
        """Return what the client gets, at once; the copy goes its own way."""
        share = self._router.shares.get(route.asked)
        if share is None:
            return result
        if copied is not None and share.copy is not None:
            share.copy(route.name, copied, result)
        return served_by(result, route.server, route.name) if _stands_in(share, route) else result


def _stands_in(share: Share, route: Route) -> bool:
    return bool(share.stand_ins) and route.server == share.newcomer
