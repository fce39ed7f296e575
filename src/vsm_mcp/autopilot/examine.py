"""``vsm-mcp vet``: resolve and fetch a reference, run every check that needs no installation, admit nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from vsm_mcp.autopilot.outcome import Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.verdicts import judged
from vsm_mcp.autopilot.vetted import fetched_vetted, options_of
from vsm_mcp.errors import VsmError
from vsm_mcp.events import StepFailed, StepFinished, StepStarted
from vsm_mcp.install.installer import Resolved
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.finding import CheckResult
from vsm_mcp.model.launch import LaunchFacts
from vsm_mcp.model.ref import Ref, parse_ref

Known = Callable[[Ref], Candidate | None]


class Examining:
    """Answers ``vet``; ``parts`` gives the parts of the home, ``known`` what the catalogue says of a package."""

    def __init__(self, parts: Callable[[], Parts], known: Known) -> None:
        self._parts = parts
        self._known = known

    async def vet(self, ref: str) -> dict[str, Any]:
        """Return what the checks saw and what it amounts to; all of it is kept as evidence.

        Raises :class:`VsmError` where the reference cannot be resolved or fetched.
        """
        parts, parsed, acquisition = self._parts(), parse_ref(ref), uuid.uuid4().hex[:12]
        began = time.perf_counter()
        parts.emit(StepStarted(acquisition=acquisition, step="vet"))
        try:
            resolved, results = await self._looked(parts, parsed)
        except VsmError as error:
            parts.emit(StepFailed(acquisition=acquisition, step="vet", code=error.code, message=error.message))
            raise
        verdict = judged(results, parts.config.policy.profile)
        await parts.store.evidence.add(acquisition, "request", {"ref": str(resolved.ref), "vet": True})
        await parts.store.evidence.add(acquisition, "vetted", results)
        await parts.store.evidence.add(acquisition, "judged", verdict)
        seconds = time.perf_counter() - began
        parts.emit(StepFinished(acquisition=acquisition, step="vet", seconds=seconds, detail=verdict.judgement.value))
        found: dict[str, Any] = msgspec.to_builtins(verdict)
        return {"ref": str(resolved.ref), "version": resolved.version, "evidence": acquisition, **found}

    async def _looked(self, parts: Parts, ref: Ref) -> tuple[Resolved, tuple[CheckResult, ...]]:
        installer, known = await parts.installer(ref), self._known(ref)
        request = Request(ref=ref, known=known)
        facts = (known.launch if known else None) or LaunchFacts()
        resolved = await installer.resolve(ref, options_of(parts, request.settings, facts))
        async with parts.installations.scratch() as folder:
            fetched = await installer.fetch(resolved, folder)
            return resolved, await fetched_vetted(parts, request, resolved, fetched)
