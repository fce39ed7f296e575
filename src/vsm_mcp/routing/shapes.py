"""One tool as it is compared with others: what it does with what, what it takes and gives, what it may change."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.tokens import stems
from vsm_mcp.model.capability import Effects
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.routing.arguments import Parameter, Terms, parameters_of
from vsm_mcp.routing.capabilities import Classifier, Item, Known, items_of
from vsm_mcp.routing.schemas import Alternatives, opened

_TOLD: Final = 600
_BEGINNING: Final = 200


class Worlds(msgspec.Struct, frozen=True):
    """Of which tags an answer depends on nothing but the arguments and what all servers share; see ``worlds.toml``.

    Of ``asked_nothing`` it does so even where there are no arguments.
    """

    shared: frozenset[str]
    asked_nothing: frozenset[str]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One tool, read.

    ``action`` is what it does (a group of ``actions.toml``), ``objects`` are the other stems of its name; ``told`` are
    the stems of all that it says, ``purpose`` of what its description begins with. ``parameters`` is ``None`` where its
    schema is beyond understanding; ``output`` is ``None`` where it promises no structure. ``writes`` says that its name
    has it change something.
    """

    server: str
    tool: str
    tags: Mapping[str, float]
    action: str
    writes: bool
    objects: frozenset[str]
    told: frozenset[str]
    purpose: frozenset[str]
    parameters: tuple[Parameter, ...] | None
    output: Alternatives | None
    effects: Effects

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.server, self.tool


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Makes shapes of tools."""

    classifier: Classifier
    terms: Terms

    def shapes(self, server: str, offer: Offer, known: Known) -> tuple[Shape, ...]:
        """Return the tools of an offer, read."""
        return tuple(self._shape(server, item, known) for item in items_of(offer) if item.kind is ItemKind.TOOL)

    def _shape(self, server: str, item: Item, known: Known) -> Shape:
        schema, output = item.body.get("inputSchema"), item.body.get("outputSchema")
        action, objects = self.classifier.actions.of(item.name, item.description, server)
        parameters = parameters_of(schema, self.terms, objects, item.description)
        names = " ".join(parameter.name for parameter in parameters or ())
        return Shape(
            server=server,
            tool=item.name,
            tags=self.classifier.tags(item, known.tags),
            action=action,
            writes=action in self.classifier.actions.writing,
            objects=objects,
            told=frozenset(stems(f"{item.name} {names} {item.description[:_TOLD]}")),
            purpose=frozenset(stems(f"{item.name} {_beginning(item.description)}")),
            parameters=parameters,
            output=opened(output, output) if isinstance(output, dict) else None,
            effects=self.classifier.effects(item, known.seen),
        )


def parse_worlds(text: str) -> Worlds:
    """Read ``worlds.toml``. Raises :class:`ConfigError` when it has another form."""
    try:
        table = tomllib.loads(text)
        return Worlds(frozenset(table["shared"]), frozenset(table["asked_nothing"]))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"the list of shared capabilities cannot be read: {error!r}", "reinstall vsm-mcp") from error


def _beginning(description: str) -> str:
    """Return the first lines of a description up to where it says how to call it."""
    return description.strip().partition("\n\n")[0][:_BEGINNING]
