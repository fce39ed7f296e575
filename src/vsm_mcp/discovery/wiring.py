"""The parts of discovery put together from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from vsm_mcp import plugins
from vsm_mcp.config import Config
from vsm_mcp.discovery import compiled
from vsm_mcp.discovery.index import shipped
from vsm_mcp.discovery.meaning import DATA, meaning
from vsm_mcp.discovery.samples import ShippedSamples
from vsm_mcp.discovery.source import Build, Context, Source
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.glossary import Glossary
from vsm_mcp.matching.glossary import parse as read_glossary
from vsm_mcp.matching.need import Reader
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.matching.taxonomy import Taxonomy
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import Server

if TYPE_CHECKING:
    from vsm_mcp.discovery.network.web import Web


@cache
def taxonomy() -> Taxonomy:
    """Return the taxonomy that ships with the package. Raises :class:`ConfigError` when it cannot be read."""
    return compiled.taxonomy()


@cache
def glossary() -> Glossary:
    """Return the glossary that ships with the package. Raises :class:`ConfigError` when it cannot be read."""
    try:
        return read_glossary((DATA / "glossary.toml").read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"the glossary cannot be read: {error}", "reinstall vsm-mcp") from error


@cache
def matcher(semantic: bool = False) -> Matcher:
    """Return the matcher over the shipped index, taxonomy and meaning; reads them when the first need is compared."""
    index = shipped(semantic)
    means = meaning(semantic)
    reader = Reader(index, taxonomy(), means, ShippedSamples(means), lambda need: glossary().english(need))
    return Matcher(reader, index.vector, meaning())


def build_sources(
    config: Config,
    servers: Callable[[], Iterable[Server]] = tuple,
    offer_of: Callable[[str], Offer | None] | None = None,
    web: Web | None = None,
) -> list[Source]:
    """Return the sources that ``[discovery] sources`` names, in that order.

    ``servers`` lists what is installed; ``offer_of`` gives a server's last offer; ``web`` is the network, which stays
    the caller's to close. Raises :class:`ConfigError` for a name that no plug-in has.
    """
    offers = offer_of or (lambda _server: None)
    context = Context(config, matcher(config.discovery.semantic), servers, offers, web)
    builders: dict[str, Build] = plugins.load("sources", config.discovery.sources)
    return [build(context) for build in builders.values()]
