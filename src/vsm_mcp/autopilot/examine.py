"""``vsm-mcp vet``: resolve and fetch a reference, run every check that needs no installation, admit nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.past import compared, earlier
from vsm_mcp.autopilot.verdicts import judged
from vsm_mcp.errors import VsmError
from vsm_mcp.events import StepFailed, StepFinished, StepStarted
from vsm_mcp.install.installer import Options
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref, parse_ref
from vsm_mcp.vetting.check import Stage, Subject, run_checks

Known = Callable[[Ref], PackageFacts]


def facts_of(known: Candidate | None) -> PackageFacts:
    """Return the facts of a candidate that the catalogue knows; none otherwise."""
    return known.facts if known is not None else PackageFacts()


class Examining:
    """Answers the operation ``vet``; ``parts`` gives the parts of the home, ``known`` what is known of a package."""

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
            subject, results = await self._looked(parts, parsed)
        except VsmError as error:
            parts.emit(StepFailed(acquisition=acquisition, step="vet", code=error.code, message=error.message))
            raise
        verdict = judged(results, parts.config.policy.profile)
        await parts.store.evidence.add(acquisition, "request", {"ref": str(subject.ref), "vet": True})
        await parts.store.evidence.add(acquisition, "vetted", results)
        await parts.store.evidence.add(acquisition, "judged", verdict)
        seconds = time.perf_counter() - began
        parts.emit(StepFinished(acquisition=acquisition, step="vet", seconds=seconds, detail=verdict.judgement.value))
        found: dict[str, Any] = msgspec.to_builtins(verdict)
        return {"ref": str(subject.ref), "version": subject.version, "evidence": acquisition, **found}

    async def _looked(self, parts: Parts, ref: Ref) -> tuple[Subject, tuple[Any, ...]]:
        installer = await parts.installer(ref)
        days = parts.config.install.min_release_age_days
        resolved = await installer.resolve(ref, Options(min_release_age_days=days))
        async with parts.installations.scratch() as folder:
            fetched = await installer.fetch(resolved, folder)
            subject = Subject(
                ref=resolved.ref,
                version=resolved.version,
                root=fetched.root,
                members=fetched.members,
                manifest=fetched.manifest,
                facts=self._known(ref),
            )
            results = await run_checks(parts.checks, subject, Stage.BEFORE_INSTALL)
        return subject, compared(results, await earlier(parts.store, resolved.ref))
