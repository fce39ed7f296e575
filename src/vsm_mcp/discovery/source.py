"""A source of candidates: the plug-in point ``vsm_mcp.sources``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.server import Server


class SourceState(StrEnum):
    """How a source answered: ``stale`` from an old copy, ``off`` because it is switched off or not set up."""

    OK = "ok"
    STALE = "stale"
    UNAVAILABLE = "unavailable"
    OFF = "off"


class SourceOff(VsmError):
    """A source that is switched off or not set up; costs nothing and says why."""

    code = "source_off"


class Source(Protocol):
    """Something that knows servers.

    ``search`` returns at most ``limit`` candidates that may meet the need, in any order; it raises any
    :class:`VsmError` when it cannot answer and :class:`SourceOff` when it is not set up. The engine compares every
    candidate with the need itself, so a source needs no scores. ``state`` is read after ``search``.
    """

    name: str
    state: SourceState

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return candidates for a need in plain words."""


@runtime_checkable
class Knowing(Protocol):
    """A source that can also say what it knows of servers which others found."""

    name: str

    async def about(self, refs: Sequence[Ref]) -> list[Candidate]:
        """Return what is known of the given references; unknown ones are left out."""


def _nothing(_server: str) -> Offer | None:
    return None


@dataclass(frozen=True)
class Context:
    """What a source may be built from.

    ``servers`` lists what is installed, ``offer_of`` gives a server's last known offer (its tools feed the search).
    """

    config: Config
    matcher: Matcher
    servers: Callable[[], Iterable[Server]] = field(default=tuple)
    offer_of: Callable[[str], Offer | None] = _nothing


Build = Callable[[Context], Source]
"""What an entry point of ``vsm_mcp.sources`` names."""
