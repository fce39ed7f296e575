"""What one profile shows to one principal: the view of the profile, narrowed to what the principal's grant covers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.display import Display
from vsm_mcp.gateway.instructions import instructions
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.refusals import Refusal
from vsm_mcp.gateway.view import View
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.principal import Grant, Principal
from vsm_mcp.policy.grants import covers_every_tool, covers_profile, covers_tool
from vsm_mcp.routing.names import SEPARATOR, exposed, server_part
from vsm_mcp.routing.table import Route, Table

_REMEMBERED: Final = 256
_Patterns = tuple[str, tuple[str, ...], tuple[str, ...]]


class Narrowed(View):
    """A view without what a grant does not cover; made anew from ``base`` when that has changed and somebody asks.

    Who listens to it hears of every change of ``base``: a list that turns out to be the same does no harm.
    """

    def __init__(self, base: View, grant: Grant) -> None:
        self.base = base
        self.display = base.display
        self.changes = base.changes
        self._grant = grant
        self._whole = base.catalogue
        self._narrow = narrowed(self._whole, self.display, grant)

    @property
    def catalogue(self) -> Catalogue:
        """What is served now."""
        if self._whole is not self.base.catalogue:
            self._whole = self.base.catalogue
            self._narrow = narrowed(self._whole, self.display, self._grant)
        return self._narrow

    @catalogue.setter
    def catalogue(self, _catalogue: Catalogue) -> None:
        raise AttributeError("a narrowed view shows what its base shows")


class Narrowings:
    """Turns a profile and a principal into a view; the views of :data:`_REMEMBERED` different grants are kept."""

    def __init__(self, find_view: Callable[[str], View | None]) -> None:
        self._find_view = find_view
        self._views: OrderedDict[_Patterns, Narrowed] = OrderedDict()

    def __len__(self) -> int:
        return len(self._views)

    def view(self, profile: str, principal: Principal) -> View:
        """Return what a profile (``""``: the endpoint without one) shows to a principal.

        Raises :class:`Refusal`: 403 for a profile that the grant does not cover, whether or not there is one of that
        name; 404 for one that does not exist.
        """
        grant = principal.grant
        if not covers_profile(grant, profile):
            raise Refusal(403, f"{principal.name} may not use {_named(profile)}: {_usable(grant)}")
        base = self._find_view(profile)
        if base is None:
            raise Refusal(404, f"there is no {_named(profile)}")
        return base if covers_every_tool(grant) else self._narrowed(profile, base, grant)

    def _narrowed(self, profile: str, base: View, grant: Grant) -> View:
        key = (profile, grant.allow_tools, grant.deny_tools)
        view = self._views.get(key)
        if view is None or view.base is not base:
            view = self._views[key] = Narrowed(base, grant)
            if len(self._views) > _REMEMBERED:
                self._views.popitem(last=False)
        self._views.move_to_end(key)
        return view


def narrowed(whole: Catalogue, display: Display, grant: Grant) -> Catalogue:
    """Return a catalogue without what a grant does not cover.

    Tools and prompts are judged as ``SERVER__NAME``, whatever they are called here, so that no profile's names get
    past a pattern; the resources of a server, by whether the patterns cover the server as a whole (``SERVER__``). Of
    the gateway's own tools, those that find tools stay unless they are denied: they find only what is covered.
    """
    # Every member is set here by itself: one that a catalogue gets some day is missing rather than shown to everybody.
    kept = Catalogue.__new__(Catalogue)
    table = kept.table = _table(whole.table, grant)
    kept.tools = {name: entry for name, entry in whole.tools.items() if name in table.tools}
    kept.searching = whole.searching and display.searches(len(kept.tools))
    kept.own = frozenset(name for name in whole.own if _covers_own(grant, name, searching=kept.searching))
    listed = () if kept.searching else kept.tools.values()
    kept.listings = {
        "tools/list": whole.listings["tools/list"].only(kept.own, listed),
        "prompts/list": whole.listings["prompts/list"].only(table.prompts),
        "resources/list": whole.listings["resources/list"].only(table.resources),
        "resources/templates/list": whole.listings["resources/templates/list"].only(table.templates),
    }
    kept.rules = {name: rules for name, rules in whole.rules.items() if name in table.tools}
    routes = (*table.tools.values(), *table.prompts.values(), *table.resources.values(), *table.templates.values())
    shown = {route.server for route in routes}
    kept.shelves = {server: shelf for server, shelf in whole.shelves.items() if server in shown}
    kept.tasking = {server: tasking for server, tasking in whole.tasking.items() if server in shown}
    kept.instructions = instructions(display, kept.own, kept.shelves.values(), table)
    kept.favour = whole.favour
    return kept


def _covers_own(grant: Grant, name: str, *, searching: bool) -> bool:
    if name not in definitions.FINDERS:
        return covers_tool(grant, name)
    return searching and not any(fnmatchcase(name, pattern) for pattern in grant.deny_tools)


def _table(whole: Table, grant: Grant) -> Table:
    def named(routes: Mapping[str, Route]) -> dict[str, Route]:
        return {key: route for key, route in routes.items() if covers_tool(grant, *_names(route))}

    def located(routes: Mapping[str, Route]) -> dict[str, Route]:
        return {
            key: route for key, route in routes.items() if covers_tool(grant, f"{server_part(route.server)}{SEPARATOR}")
        }

    def held(key: str, route: Route) -> bool:
        called = key.startswith((f"{ItemKind.TOOL}:", f"{ItemKind.PROMPT}:"))
        return covers_tool(grant, *(_names(route) if called else (f"{server_part(route.server)}{SEPARATOR}",)))

    tools = named(whole.tools)
    return Table(
        tools=tools,
        prompts=named(whole.prompts),
        resources=located(whole.resources),
        templates=located(whole.templates),
        denied=whole.denied | (whole.tools.keys() - tools.keys()),
        mapped={part: server for part, server in whole.mapped.items() if covers_tool(grant, f"{part}{SEPARATOR}")},
        frozen={
            key: kept
            for key, routes in whole.frozen.items()
            if (kept := tuple(route for route in routes if held(key, route)))
        },
    )


def _names(route: Route) -> tuple[str, str]:
    """Return the name that is served without a profile, and the same before it was shortened or changed."""
    return exposed(route.server, route.name), f"{server_part(route.server)}{SEPARATOR}{route.name}"


def _named(profile: str) -> str:
    return f"profile {profile[:100]!r}" if profile else "the endpoint without a profile"


def _usable(grant: Grant) -> str:
    return "it is for " + ", ".join(f"/mcp/{name}" if name else "/mcp" for name in grant.profiles[:10])
