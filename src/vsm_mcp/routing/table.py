"""The routing table: which server answers for an exposed name or a URI. Immutable; swapped whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.routing.names import exposed, server_part
from vsm_mcp.routing.templates import literal_length, matches

Naming = Callable[[str, str], str]
"""(server, item's own name) → the name it is served under."""

MAPPED_SCHEME: Final = "vsm-mcp://"
_TEMPLATE: Final = f"{ItemKind.TEMPLATE}:"


class Route(msgspec.Struct, frozen=True, gc=False):
    """Who answers, and under which name or URI of its own.

    ``origin`` names the server that was asked for, where another target answers in its place.
    """

    server: str
    name: str
    origin: str = ""

    @property
    def asked(self) -> str:
        """The server that was asked for, whoever answers."""
        return self.origin or self.server


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """All routes of one moment.

    ``tools`` and ``prompts`` are keyed by exposed name, ``resources`` and ``templates`` by exposed URI (template).
    ``denied`` are the exposed names of tools that exist and that policy does not serve. ``frozen`` are the items that
    differ from what was approved: of tools and prompts the exposed names, of resources and templates their own URIs,
    each after its kind (``tool:NAME``).
    """

    tools: Mapping[str, Route] = {}
    prompts: Mapping[str, Route] = {}
    resources: Mapping[str, Route] = {}
    templates: Mapping[str, Route] = {}
    denied: frozenset[str] = frozenset()
    mapped: Mapping[str, str] = {}
    frozen: Mapping[str, tuple[Route, ...]] = {}

    def resource(self, uri: str) -> Route | None:
        """Return who can be asked for ``uri``: listed as such, mapped, from a template, or alike to what is listed.

        A server may read URIs that it never lists (links in its tools' results), so one whose listed URIs begin alike
        is asked when exactly one does, and so is the only server that has resources at all.
        """
        found = self.resources.get(uri)
        if found is not None:
            return found
        if uri.startswith(MAPPED_SCHEME):
            part, _, original = uri[len(MAPPED_SCHEME) :].partition("/")
            server = self.mapped.get(part)
            if server is not None and original:
                return Route(server, original)
        fitting = [(literal_length(key), key) for key in self.templates if matches(key, uri)]
        if fitting:
            key = min(fitting, key=lambda entry: (-entry[0], entry[1]))[1]
            return Route(self.templates[key].server, uri)
        return self._alike(uri)

    def held(self, kind: ItemKind, name: str) -> Route | None:
        """Return whose tool or prompt is frozen under a name."""
        return next(iter(self.frozen.get(f"{kind}:{name}", ())), None)

    def held_resource(self, uri: str, route: Route | None) -> Route | None:
        """Return what is frozen and would be read under ``uri``, ``route`` being who would be asked.

        What a frozen template makes is frozen, too, unless it is listed by itself.
        """
        if not self.frozen or uri in self.resources:
            return None
        own = uri if route is None else route.name
        held = self.frozen.get(f"{ItemKind.RESOURCE}:{own}", ())
        for key, routes in self.frozen.items():
            template = key.removeprefix(_TEMPLATE)
            if template != key and (own == template or matches(template, own)):
                held += routes
        return next((each for each in held if route is None or each.server == route.server), None)

    def _alike(self, uri: str) -> Route | None:
        by_origin: dict[str, set[str]] = {}
        by_scheme: dict[str, set[str]] = {}
        servers: set[str] = set()
        for route in (*self.resources.values(), *self.templates.values()):
            by_origin.setdefault(_origin(route.name), set()).add(route.server)
            by_scheme.setdefault(route.name.partition(":")[0], set()).add(route.server)
            servers.add(route.server)
        for group in (by_origin.get(_origin(uri)), by_scheme.get(uri.partition(":")[0]), servers):
            if group is not None and len(group) == 1:
                return Route(next(iter(group)), uri)
        return None


class Choice(msgspec.Struct, frozen=True):
    """Which tools of a view are shown, as patterns over their names (``*`` and ``?`` as in file names).

    ``denied`` is the policy's word: such a tool exists and is refused. What ``shown`` leaves out and what ``hidden``
    names does not exist as far as the view goes. A pattern is held against a tool's ``server__name`` and against the
    name it is served under, so that a rule holds however a view names its tools.
    """

    denied: tuple[str, ...] = ()
    shown: tuple[str, ...] = ("*",)
    hidden: tuple[str, ...] = ()

    def shows(self, *names: str) -> bool:
        """Say whether a tool with these names is part of the view."""
        return _any(names, self.shown) and not _any(names, self.hidden)

    def denies(self, *names: str) -> bool:
        """Say whether the policy refuses a tool with these names."""
        return _any(names, self.denied)


def build(offers: Mapping[str, Offer], choice: Choice | None = None, name: Naming = exposed) -> Table:
    """Build the table of what ``offers`` (server → offer) hold.

    A resource's URI is kept where one server has it, and becomes ``vsm-mcp://SERVER/URI`` for each of those that share
    it, so that none hides another's; one that looks like a mapped one already is mapped again for the same reason.
    Of two tools with the same name within one server the first counts.
    """
    tools, barred = _tools(offers, choice or Choice(), name)
    return Table(
        tools=tools,
        prompts=_named(offers, ItemKind.PROMPT, name),
        resources=_located(offers, ItemKind.RESOURCE),
        templates=_located(offers, ItemKind.TEMPLATE),
        denied=barred,
        mapped={server_part(server): server for server in offers},
        frozen=_frozen(offers, name),
    )


def mapped_uri(server: str, uri: str) -> str:
    """Return the URI under which a server's resource is served when another server has the same URI."""
    return f"{MAPPED_SCHEME}{server_part(server)}/{uri}"


def _tools(offers: Mapping[str, Offer], choice: Choice, name: Naming) -> tuple[dict[str, Route], frozenset[str]]:
    routes: dict[str, Route] = {}
    barred: set[str] = set()
    for key, route in _named(offers, ItemKind.TOOL, name).items():
        names = (key,) if name is exposed else (key, exposed(route.server, route.name))
        if choice.denies(*names) and choice.shows(*names):
            barred.add(key)
        elif choice.shows(*names):
            routes[key] = route
    return routes, frozenset(barred)


def _any(names: Iterable[str], patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _named(offers: Mapping[str, Offer], kind: ItemKind, name: Naming) -> dict[str, Route]:
    routes: dict[str, Route] = {}
    for server in sorted(offers):
        for item in offers[server].of(kind):
            routes.setdefault(name(server, item.name), Route(server, item.name))
    return routes


def _frozen(offers: Mapping[str, Offer], name: Naming) -> dict[str, tuple[Route, ...]]:
    held: dict[str, tuple[Route, ...]] = {}
    for server in sorted(offers):
        for kind, own in offers[server].frozen:
            shown = name(server, own) if kind in (ItemKind.TOOL, ItemKind.PROMPT) else own
            held[f"{kind}:{shown}"] = (*held.get(f"{kind}:{shown}", ()), Route(server, own))
    return held


def _located(offers: Mapping[str, Offer], kind: ItemKind) -> dict[str, Route]:
    uris = [
        (server, uri) for server in sorted(offers) for uri in dict.fromkeys(i.name for i in offers[server].of(kind))
    ]
    owners = Counter(uri for _, uri in uris)
    return {
        uri if owners[uri] == 1 and not uri.startswith(MAPPED_SCHEME) else mapped_uri(server, uri): Route(server, uri)
        for server, uri in uris
    }


def _origin(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if rest else uri.partition(":")[0]
