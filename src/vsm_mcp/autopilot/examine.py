"""``vsm-mcp vet``: resolve and fetch a reference, run every check that needs no installation, admit nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from vsm_mcp.autopilot.outcome import Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.verdicts import judged, summary
from vsm_mcp.autopilot.vetted import fetched_vetted, options_of
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Event, StepFailed, StepFinished, StepStarted
from vsm_mcp.install.installer import Resolved
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.finding import CheckResult
from vsm_mcp.model.launch import LaunchFacts, Settings
from vsm_mcp.model.ref import Ref, parse_ref

Known = Callable[[Ref], Candidate | None]


class Examining:
    """Answers ``vet``; ``parts`` gives the parts of the home, ``known`` what the catalogue says of a package."""

    def __init__(self, parts: Callable[[], Parts], known: Known) -> None:
        self._parts = parts
        self._known = known

    async def vet(self, ref: str, *, allow_scripts: bool = False) -> dict[str, Any]:
        """Return what the checks saw, what it amounts to, and the seconds of each step; all of it is kept as evidence.

        With ``allow_scripts`` it is judged as it would be admitted with its install scripts; none runs here. Raises
        :class:`VsmError` where the reference cannot be resolved or fetched.
        """
        parts, acquisition = self._parts(), uuid.uuid4().hex[:12]
        parsed = parse_ref(ref)
        request = Request(ref=parsed, known=self._known(parsed), settings=Settings(allow_scripts=allow_scripts))
        steps = _Steps(parts.emit, acquisition)
        resolved, results = await self._looked(parts, request, steps)
        verdict = judged(results, parts.config.policy.profile)
        asked = {"ref": str(resolved.ref), "vet": True, "allow_scripts": allow_scripts}
        await parts.store.evidence.add(acquisition, "request", asked)
        await parts.store.evidence.add(acquisition, "vetted", results)
        await parts.store.evidence.add(acquisition, "judged", verdict)
        found: dict[str, Any] = msgspec.to_builtins(verdict)
        head = {"ref": str(resolved.ref), "version": resolved.version, "evidence": acquisition}
        return {**head, **found, "seconds": steps.seconds}

    async def _looked(self, parts: Parts, request: Request, steps: _Steps) -> tuple[Resolved, tuple[CheckResult, ...]]:
        installer = await parts.installer(request.ref)
        facts = (request.known.launch if request.known else None) or LaunchFacts()
        with steps.step("resolve"):
            resolved = await installer.resolve(request.ref, options_of(parts, request.settings, facts))
        async with parts.installations.scratch() as folder:
            with steps.step("fetch"):
                fetched = await installer.fetch(resolved, folder)
            with steps.step("vet") as said:
                results = await fetched_vetted(parts, request, resolved, fetched)
                said.append(summary(results))
            return resolved, results


class _Steps:
    """Says each step as it goes by, and keeps how many ``seconds`` it took."""

    def __init__(self, emit: Callable[[Event], None], acquisition: str) -> None:
        self.seconds: dict[str, float] = {}
        self._emit = emit
        self._acquisition = acquisition

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        began, said = time.perf_counter(), list[str]()
        self._emit(StepStarted(acquisition=self._acquisition, step=name))
        try:
            yield said
        except VsmError as error:
            self._emit(StepFailed(acquisition=self._acquisition, step=name, code=error.code, message=error.message))
            raise
        seconds = self.seconds[name] = time.perf_counter() - began
        detail = "; ".join(said)
        self._emit(StepFinished(acquisition=self._acquisition, step=name, seconds=seconds, detail=detail))
