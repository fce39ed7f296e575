"""What servers offer, as capabilities of one taxonomy.

An item has the tags whose phrases its own words hold, and those that its server is known for; what both say is surest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from vsm_mcp.matching.taxonomy import Taxonomy
from vsm_mcp.matching.tokens import stems
from vsm_mcp.model.capability import Capability, CapabilityParameter, Effects
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.routing.actions import Actions
from vsm_mcp.routing.effects import Seen, effects_of
from vsm_mcp.routing.places import Places
from vsm_mcp.routing.schemas import kinds, opened

MOST_TAGS: Final = 3
_LEAST: Final = 0.3
_BESIDE: Final = 0.6  # of the surest tag: less sure ones are left out
_KNOWN_FOR: Final = 0.7
_MAIN: Final = 1.2
_FORM: Final = 0.85
_BEGINNING: Final = 240
_PARAMETERS: Final = 64
_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_DEEPEST: Final = 64
_BY_URI: Final = (ItemKind.RESOURCE, ItemKind.TEMPLATE)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a server besides its offer: the tags it is known for, the main one first; what a trial saw."""

    tags: tuple[str, ...] = ()
    seen: Seen = Seen()


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item of an offer, opened: ``body`` is its JSON, empty where that is beyond reading."""

    kind: ItemKind
    name: str
    description: str
    body: Mapping[str, Any]


class Classifier:
    """Gives items their tags, effects and places; holds the taxonomy, the rules of the places and the verbs."""

    def __init__(self, taxonomy: Taxonomy, places: Places, actions: Actions) -> None:
        self._taxonomy = taxonomy
        self.places = places
        self.actions = actions

    def tags(self, item: Item, known: Sequence[str]) -> dict[str, float]:
        """Return the tags of an item, the surest first, with how sure each is (0…1); ``known`` are its server's."""
        said = f"{item.name}\n{item.description[:_BEGINNING]}"
        seen = self._taxonomy.of_thing(frozenset(stems(said)))
        found = {tag: _FORM * sure for tag, sure in seen.items()}
        given = dict.fromkeys(normal[0] for tag in known if (normal := self._taxonomy.normal(tag)) is not None)
        for place, tag in enumerate(given):
            # The more a server is known for, the less that says of one of its items.
            least = _KNOWN_FOR / math.sqrt(len(given)) * (1.0 if place else _MAIN)
            found[tag] = 1.0 - (1.0 - found.get(tag, 0.0)) * (1.0 - least)
        ranked = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_TAGS]
        least = max(_LEAST, _BESIDE * ranked[0][1]) if ranked else 1.0
        return {tag: round(sure, 2) for tag, sure in ranked if sure >= least}

    def capabilities(self, server: str, offer: Offer, known: Known) -> tuple[Capability, ...]:
        """Return all that a server can do: of each item one capability for each of its tags, or one without a tag."""
        return tuple(found for item in items_of(offer) for found in self._of_item(server, item, known))

    def _of_item(self, server: str, item: Item, known: Known) -> Iterator[Capability]:
        effects = self.effects(item, known.seen)
        parameters = _parameters(item)
        for tag, sure in (self.tags(item, known.tags) or {"": 0.0}).items():
            system, reason = self.places.of(tag, item.name, effects)
            yield Capability(
                tag=tag,
                confidence=sure,
                server=server,
                kind=item.kind,
                name=item.name,
                parameters=parameters,
                effects=effects,
                system=system,
                reason=reason,
            )

    def effects(self, item: Item, seen: Seen) -> Effects:
        """Return what calling an item may do."""
        action, _ = self.actions.of(item.name, item.description)
        writes = action in self.actions.writing
        return effects_of(item.kind, item.body.get("annotations"), seen, writes=writes)


def items_of(offer: Offer) -> Iterator[Item]:
    """Yield the items of an offer, each of a name once, opened."""
    seen: set[tuple[ItemKind, str]] = set()
    for definition in offer.items:
        key = (definition.kind, definition.name)
        if definition.kind is not ItemKind.INSTRUCTIONS and key not in seen:
            seen.add(key)
            yield opened_item(definition)


def opened_item(definition: Definition) -> Item:
    """Return a definition opened; what is beyond reading in it (depth, encoding) is as good as empty."""
    try:
        body = msgspec.json.decode(definition.raw)
        body = body if isinstance(body, dict) and _shallow(body, _DEEPEST) else {}
    except UNREADABLE:
        body = {}
    said, title = (body.get(word) for word in ("description", "name"))
    description = said if isinstance(said, str) else ""
    # What a resource is called is its URI; its name says more of what it is.
    label = title if isinstance(title, str) and definition.kind in _BY_URI else ""
    return Item(
        kind=definition.kind,
        name=definition.name,
        description=f"{label} {description}".strip(),
        body=body,
    )


def _shallow(value: object, left: int) -> bool:
    """Return whether a value is nested less than ``left`` deep: comparing and writing what is deeper can fail."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left > 0 and all(_shallow(one, left - 1) for one in inner if isinstance(one, dict | list))


def _parameters(item: Item) -> tuple[CapabilityParameter, ...]:
    """Return the parameters of an item: of a tool's schema, a prompt's arguments, or a template's variables."""
    if item.kind is ItemKind.TOOL:
        return _of_schema(item.body.get("inputSchema"))
    if item.kind is ItemKind.PROMPT:
        given = item.body.get("arguments")
        named = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
        return tuple(
            CapabilityParameter(one["name"], "string", one.get("required") is True)
            for one in named[:_PARAMETERS]
            if isinstance(one.get("name"), str)
        )
    if item.kind is ItemKind.TEMPLATE:
        parts = ",".join(part.lstrip("+#./;?&") for part in _EXPRESSION.findall(item.name)).split(",")
        names = dict.fromkeys(part.partition(":")[0].rstrip("*").strip() for part in parts)
        return tuple(CapabilityParameter(name, "string", True) for name in list(filter(None, names))[:_PARAMETERS])
    return ()


def _of_schema(schema: object) -> tuple[CapabilityParameter, ...]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(properties, dict):
        return ()
    wanted = schema.get("required")
    required = {name for name in wanted if isinstance(name, str)} if isinstance(wanted, list) else set()
    return tuple(
        CapabilityParameter(name, kinds(opened(part, schema)), name in required)
        for name, part in list(properties.items())[:_PARAMETERS]
    )
