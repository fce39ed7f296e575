"""A source of candidates: the plug-in point ``vsm_mcp.sources``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vsm_mcp.config import Config
from vsm_mcp.errors import ConfigError, VsmError
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.server import Server

if TYPE_CHECKING:
    from vsm_mcp.discovery.network.web import Web


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
    candidate with the need itself, so a source needs no scores. ``state`` is read after ``search``, and so is
    ``detail`` where a source has one: a line on why the state is what it is. One with a true ``remote`` cannot answer
    without the network: a search that is to stay offline does not ask it.
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


@runtime_checkable
class Refreshing(Protocol):
    """A source that keeps something on this machine, which the daemon has it bring up to date in the background."""

    name: str

    async def refresh(self) -> str:
        """Bring up to date what is kept; return what was done, in a line. Whatever happens, nothing known is lost.

        Raises any :class:`VsmError` when it cannot be done.
        """


def _nothing(_server: str) -> Offer | None:
    return None


@dataclass(frozen=True)
class Context:
    """What a source may be built from.

    ``servers`` lists what is installed, ``offer_of`` gives a server's last known offer (its tools feed the search).
    ``web`` is the network as all sources share it; see :attr:`network`.
    """

    config: Config
    matcher: Matcher
    servers: Callable[[], Iterable[Server]] = field(default=tuple)
    offer_of: Callable[[str], Offer | None] = _nothing
    web: Web | None = None

    @property
    def network(self) -> Web:
        """The network. Raises :class:`ConfigError` where a program built its sources without one."""
        if self.web is None:
            raise ConfigError("this source asks the network, and was given none", "pass web= to build_sources")
        return self.web


Build = Callable[[Context], Source]
"""What an entry point of ``vsm_mcp.sources`` names."""
