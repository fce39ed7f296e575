"""Which servers keep their homes, and where those lie: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.newcomer import server_of
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.spec import CONTAINER, ServerSpec, spec_of

KEEPING: Final = frozenset({"knowledge.memory", "knowledge.graph", "office.notes", "office.tasks"})
"""Capabilities whose servers are told things in order to have them later."""


def known_to_keep(tags: Iterable[str], seen: Behaviour | None) -> bool:
    """Return whether a server keeps things in its home, by its capabilities or by what was seen of it in a trial."""
    return not KEEPING.isdisjoint(tags) or (seen is not None and bool(seen.home))


def keeps_home(server: Server) -> bool:
    """Return whether what a server writes in its home stays: as a person said, else as it is known.

    A container has no home. A server with a process for each session has one for each, unless a person said otherwise.
    """
    if server.installation.entry.runtime == CONTAINER:
        return False
    said, apart = server.settings.keep_home, server.settings.stateful
    if said is not None:
        return said
    return server.keeps_home and not (server.observed_stateful if apart is None else apart)


def home_of(server: Server, config: Config) -> Path:
    """Return the folder that is the home of a server and of its newcomers, where it is kept.

    It goes by the package as well: another one that takes the name does not find what this one wrote.
    """
    own = hashlib.sha256(server.ref.identity.encode()).hexdigest()[:12]
    return config.home / "homes" / f"{server_of(server.name)}-{own}"


def spec_at_home(server: Server, secrets: Mapping[str, str], config: Config) -> ServerSpec:
    """Return how a server is started to serve: as :func:`spec_of` says, with its home where it keeps one.

    Raises what that raises.
    """
    spec = spec_of(server, secrets, config)
    if spec.confinement is None or not keeps_home(server):
        return spec
    home = str(home_of(server, config))
    return msgspec.structs.replace(spec, confinement=msgspec.structs.replace(spec.confinement, home=home))
