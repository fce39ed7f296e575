"""From a need to ranked candidates: sources → texts of the best → criteria → order."""

from __future__ import annotations

import time
from collections.abc import Sequence

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.wiring import Machine
from vsm_mcp.config import Config
from vsm_mcp.discovery.catalogue import entries
from vsm_mcp.discovery.describe import describe
from vsm_mcp.discovery.engine import Options, discover
from vsm_mcp.discovery.wiring import build_sources, matcher
from vsm_mcp.errors import NothingFound
from vsm_mcp.evaluation.criterion import Circumstances
from vsm_mcp.evaluation.rank import rank
from vsm_mcp.evaluation.wiring import build_criteria
from vsm_mcp.events import Emit
from vsm_mcp.model.appraisal import Appraisal
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import Ref
from vsm_mcp.runtime.permissions import permitted, profile_of

_POOL = 100


class Finder:
    """Finds candidates for needs; what it loads is loaded when the first need comes."""

    def __init__(self, config: Config, machine: Machine, fleet: Fleet) -> None:
        self._config = config
        self._machine = machine
        self._fleet = fleet

    def configure(self, config: Config) -> None:
        """Have other settings count for the next need."""
        self._config = config

    async def find(self, need: str, settings: Settings, emit: Emit) -> list[Appraisal]:
        """Return the appraised candidates, best first. Raises :class:`NothingFound` when nothing fits."""
        sources = build_sources(self._config, self._fleet.servers.values, self._fleet.seen)
        options = Options(limit=_POOL, timeout=self._config.discovery.source_timeout_seconds)
        found = await discover(need, sources, matcher(self._config.discovery.semantic), options, emit)
        if not found.candidates:
            asked = ", ".join(f"{report.source} {report.state}" for report in found.reports)
            raise NothingFound(f"nothing was found for {need!r} ({asked})")
        criteria, circumstances = build_criteria(), await self._circumstances(need, settings)
        ranked = [each.candidate for each in rank(found.candidates, criteria, circumstances)]
        return rank(await self._described(ranked, emit), criteria, circumstances)

    async def _circumstances(self, need: str, settings: Settings) -> Circumstances:
        granted = permitted(settings, profile_of(settings, self._config))
        runtimes = await self._machine.runtimes()
        return Circumstances(
            need=need,
            now=time.time(),
            python=runtimes.get("python"),
            node=runtimes.get("node"),
            network=bool(granted.hosts) or granted.network,
            secrets=frozenset({*settings.env, *settings.secrets}),
        )

    async def _described(self, candidates: Sequence[Candidate], emit: Emit) -> Sequence[Candidate]:
        """Return the candidates with the registry's word on the best of them: what they need, how old they are."""
        settings = self._config.discovery
        if settings.describe_best == 0:
            return candidates
        registries = await self._machine.registries()
        described = await describe(
            candidates, registries, best=settings.describe_best, deadline=settings.source_timeout_seconds, emit=emit
        )
        return described.candidates

    def known(self, ref: Ref) -> Candidate | None:
        """Return what the built-in catalogue says about a reference."""
        return next((entry for entry in entries() if entry.ref.identity == ref.identity), None)
