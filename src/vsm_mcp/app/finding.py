"""From a need to ranked candidates: sources → requirements → texts of the best → criteria → order."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from vsm_mcp import plugins
from vsm_mcp.app.host import Host
from vsm_mcp.app.lookout import Lookout, Servers
from vsm_mcp.config import Config
from vsm_mcp.discovery import catalogue
from vsm_mcp.discovery.describe import Registries, describe
from vsm_mcp.discovery.source import SourceState
from vsm_mcp.errors import NothingFound, VsmError
from vsm_mcp.evaluation.criterion import Circumstances
from vsm_mcp.evaluation.rank import rank
from vsm_mcp.evaluation.requirements import LATE, LeftOut, divide, in_words
from vsm_mcp.evaluation.weights import weights_of
from vsm_mcp.evaluation.wiring import build_criteria
from vsm_mcp.events import CandidatesLeftOut, Emit
from vsm_mcp.matching.relevance import THRESHOLD
from vsm_mcp.model.appraisal import Appraisal
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts, Settings
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.server import Server
from vsm_mcp.model.wants import Priority, Wants
from vsm_mcp.runtime.permissions import permitted, profile_of
from vsm_mcp.store import Store

_MORE = 3
"""So many times more candidates are described where only their registries know whether they meet what is required."""
_LOOKED_AT = 24
"""Of so many of the best it is looked at which of their tools comes nearest to the need."""
One = TypeVar("One")
Other = TypeVar("Other")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for a need: the appraised candidates, best first, what was left out, and how all was weighed.

    ``sources`` is how each source stands, as :meth:`~vsm_mcp.app.lookout.Lookout.report` has it.
    """

    ranked: tuple[Appraisal, ...]
    left_out: tuple[LeftOut, ...]
    weights: Mapping[str, float]
    wants: Wants
    sources: list[dict[str, Any]]


class Finder:
    """Finds candidates for needs; what it loads is loaded when the first need comes.

    ``lookout`` holds the sources.
    """

    def __init__(self, config: Config, machine: Host, fleet: Servers, store: Store) -> None:
        self._config = config
        self._machine = machine
        self._fleet = fleet
        self._store = store
        self.lookout = Lookout(config, machine, fleet)

    def configure(self, config: Config) -> None:
        """Have other settings count for the next need."""
        self._config = config
        self.lookout.configure(config)

    async def find(self, need: str, settings: Settings, wants: Wants, emit: Emit) -> Found:
        """Return what is there for a need. Raises :class:`NothingFound` when nothing fits, or meets what is wanted.

        Raises :class:`ConfigError` for weights that cannot be used.
        """
        criteria, wants = build_criteria(), self._config.appraisal.wanted(wants)
        names = [criterion.name for criterion in criteria]
        weights = weights_of(wants.priority or Priority.BALANCED, self._config.appraisal.weights, names)
        here = both(self._circumstances(need, settings), self._registries(wants))  # while the sources are asked
        (circumstances, registries), candidates = await both(here, self._discovered(need, wants, emit))
        kept, early = divide(map(self._at_hand, candidates), circumstances, wants, early=True)
        ranked = [each.candidate for each in rank(kept, criteria, circumstances, weights)]
        most = self._config.discovery.describe_best * (_MORE if LATE.intersection(wants.requirements) else 1)
        described = ranked if registries is None else await self._described(need, ranked, registries, most, emit)
        kept, late = divide(described, circumstances, wants)
        left_out = (*early, *late)
        if left_out:
            emit(CandidatesLeftOut(need=need, count=len(left_out), reasons=in_words(left_out)))
        if not kept:
            raise _none_left(need, left_out)
        looked_at = await self.lookout.with_nearest(need, kept[:_LOOKED_AT])
        best = rank([*looked_at, *kept[_LOOKED_AT:]], criteria, circumstances, weights)
        sources = self.lookout.report()
        return Found(ranked=tuple(best), left_out=left_out, weights=weights, wants=wants, sources=sources)

    async def _discovered(self, need: str, wants: Wants, emit: Emit) -> Sequence[Candidate]:
        found = await self.lookout.discover(need, emit, offline=wants.offline)
        if not found.candidates:
            answered = [report for report in found.reports if report.state is not SourceState.OFF]
            asked = ", ".join(f"{report.source} {report.state}" for report in answered)
            raise NothingFound(f"nothing was found for {need!r} ({asked})", _near(found.nearest))
        return found.candidates

    async def _circumstances(self, need: str, settings: Settings) -> Circumstances:
        granted = permitted(settings, profile_of(settings, self._config))
        now = time.time()
        return Circumstances(
            need=need,
            now=now,
            pythons=await self._machine.pythons(),
            node=await self._machine.node(),
            system=sys.platform,
            network=bool(granted.hosts) or granted.network,
            schemes=frozenset(plugins.names("transports")),
            secrets=frozenset({*settings.env, *settings.secrets}),
            experience=await self._store.experience.all(now),
        )

    def _at_hand(self, candidate: Candidate) -> Candidate:
        """Return what is installed with what its settings show of it, where nobody else says how it is launched."""
        server = self._fleet.servers.get(candidate.name) if candidate.installed else None
        if server is None or candidate.launch is not None:
            return candidate
        provenance = {**candidate.provenance, "launch": "installed"}
        return msgspec.structs.replace(candidate, launch=self._granted(server), provenance=provenance)

    def _granted(self, server: Server) -> LaunchFacts:
        """What it was granted is what it has: it was tried, and is served, with no more."""
        network: bool | None = None
        with contextlib.suppress(VsmError):  # its permission profile is gone: nobody knows
            granted = permitted(server.settings, profile_of(server.settings, self._config))
            network = bool(granted.hosts) or granted.network
        secrets = self._store.secrets.of(server.acquisition)
        inputs = tuple(Input(kind=InputKind.SECRET, name=name, required=True) for name in sorted(secrets))
        return LaunchFacts(inputs=inputs, network=network)

    async def _registries(self, wants: Wants) -> Registries | None:
        """Return who is asked for its word on the best candidates; nobody where that is not wanted."""
        if wants.offline or self._config.discovery.describe_best == 0:
            return None
        return await self._machine.registries()

    async def _described(
        self, need: str, candidates: Sequence[Candidate], registries: Registries, most: int, emit: Emit
    ) -> Sequence[Candidate]:
        """Return the candidates with the registry's word on the best of them: what they need, how old they are.

        What says more of itself now is compared with the need again: the index knows its words, not their order.
        """
        deadline = self._config.discovery.source_timeout_seconds
        described = (await describe(candidates, registries, best=most, deadline=deadline, emit=emit)).candidates
        before = {each.ref.identity: each.text for each in candidates}
        more = [each for each in described if each.text != before.get(each.ref.identity)]
        again = {each.ref.identity: each for each in await self.lookout.rated(need, more)}
        return [again.get(each.ref.identity, each) for each in described]

    def known(self, ref: Ref) -> Candidate | None:
        """Return what the built-in catalogue says about a reference."""
        return catalogue.known(ref)


async def both(one: Awaitable[One], other: Awaitable[Other]) -> tuple[One, Other]:
    """Await two things at once, each to its end; raise what the first of them raised, else what the second did."""
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second


def _near(nearest: Sequence[Candidate]) -> str:
    """Return a hint that names what comes nearest to a need and does not meet it; empty for none."""
    if not nearest:
        return ""
    shown = ", ".join(f"{each.ref} ({each.relevance:.2f})" for each in nearest)
    return f"nearest, below {THRESHOLD}: {shown}; say it in other words, or take one: vsm-mcp add REF"


def _none_left(need: str, left_out: Sequence[LeftOut]) -> NothingFound:
    if not left_out:  # what was found is no more: its registry does not know it
        return NothingFound(f"nothing was found for {need!r}")
    count = len(left_out)
    return NothingFound(
        f"nothing that was found for {need!r} meets what is required ({count} looked at)",
        f"left out by {in_words(left_out)}; ask for less, here or in [appraisal] of vsm-mcp.toml",
    )
