"""From a need to a server: the candidates in their order, until one passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import msgspec

from vsm_mcp.autopilot.asked import asked
from vsm_mcp.autopilot.choosing import Choice, Here, Judged, better, choose, nobody, unasked_first, wanting
from vsm_mcp.autopilot.outcome import Attempt, Outcome, Reason, Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.errors import Unsuited
from vsm_mcp.events import CandidateRejected, Ranked
from vsm_mcp.install.choice import installable
from vsm_mcp.install.tools import present
from vsm_mcp.model.appraisal import Appraisal
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.routing.names import exposed
from vsm_mcp.runtime.permissions import permitted, profile_of

# Ends that say something of one way to install a candidate, and nothing of the next.
_NEXT_WAY: Final = ("install_failed", "unknown_package", "registry_unavailable")
# Ends that no other candidate would change: a person must speak first.
_FINAL: Final = ("approval_needed",)
_NOT_PLAINLY: Final = "none of its tools plainly does what is needed, nor does any other candidate that was tried"

Admit = Callable[[Parts, Request], Awaitable[Outcome]]


async def acquire(
    parts: Parts,
    template: Request,
    ranked: Sequence[Appraisal],
    tries: int,
    admit: Admit,
    plainly: Collection[str] = (),
) -> Outcome:
    """Try the best ``tries`` candidates of a need in turn; return the first that is served, or the last outcome.

    One of which no tool plainly does what is needed is served only if no other does, if at all. ``template`` carries
    the need and what was given for it; ``plainly`` are the servers here that have a tool for it.

    Raises :class:`NothingFound` when no candidate can be tried, and :class:`ApprovalNeeded` when the best need what
    nobody gave or allowed, or, where somebody can be asked, when a better one lacks a value than can be tried.
    """
    need = template.need
    given = permitted(template.settings, profile_of(template.settings, parts.config))
    parts.emit(Ranked(need=need, rows=tuple(_row(appraisal) for appraisal in ranked[:8])))
    here = Here(tools=present(parts.config.environ), kinds=installable(), method=template.method)
    choice = choose(ranked, given, here, plainly)
    lacking = better(choice) if template.asks else None
    if lacking is not None:
        raise wanting(need, lacking)
    if not choice.tried:
        raise nobody(need, choice)
    course = _Course(parts, template, admit, [_shown(each) for each in ranked[:8]])
    for each in _before(choice):
        course.in_vain(Attempt(ref=each.ref, code="not_tried", message=each.why_not))
    for appraisal in unasked_first(choice.tried, lambda each: _lets(parts, template, each))[:tries]:
        if appraisal.candidate.installed:
            return await course.served_already(appraisal.candidate)
        if await course.tries(here.ways(appraisal.candidate), appraisal):
            return course.outcome()
    if template.nearest:
        await course.falls_back()
    return course.outcome(choice)


class _Course:
    """The candidates of one need as they are tried; ``shown`` is the ranking, kept as evidence of each."""

    def __init__(self, parts: Parts, template: Request, admit: Admit, shown: list[dict[str, object]]) -> None:
        self._parts = parts
        self._template = template
        self._admit = admit
        self._shown = shown
        self._attempts: list[Attempt] = []
        self._last: Outcome | None = None
        self._unsuited: Request | None = None  # the first of them

    async def tries(self, ways: Sequence[Candidate], appraisal: Appraisal) -> bool:
        """Try a candidate by each of its ways until one says something of it; return whether that ends the search."""
        for way in ways:
            code = await self._one(asked_for(self._template, way, appraisal))
            if not code or code in _FINAL:
                return True
            if code not in _NEXT_WAY:
                break
        return False

    async def falls_back(self) -> None:
        """Serve the best of those whose tools do not plainly do it, if there is one."""
        if self._unsuited is None:
            return
        request = msgspec.structs.replace(self._unsuited, must_suit=False)
        self._attempts = [each for each in self._attempts if each.ref != str(request.ref)]
        if not await self._one(request) and self._last is not None:
            self._last = msgspec.structs.replace(self._last, warnings=(_NOT_PLAINLY, *self._last.warnings))

    async def served_already(self, candidate: Candidate) -> Outcome:
        """Return the end where a server that is there does it."""
        server = await self._parts.store.servers.get(candidate.name)
        return Outcome(
            outcome="served",
            ref=str(server.ref),
            evidence=server.acquisition,
            server=server.name,
            version=server.version,
            tools=tuple(exposed(server.name, tool) for tool in self._parts.fleet().get(server.name, ())),
            warnings=("it was served already",),
            attempts=tuple(self._attempts),
        )

    def in_vain(self, attempt: Attempt) -> None:
        """Take note of one that did not come into service."""
        self._attempts.append(attempt)
        told = CandidateRejected(
            acquisition=attempt.evidence, ref=attempt.ref, code=attempt.code, message=attempt.message
        )
        self._parts.emit(told)

    def outcome(self, choice: Choice | None = None) -> Outcome:
        """Return how it ended; with ``choice`` also what would let a better one be tried, unless it is served."""
        assert self._last is not None  # noqa: S101 - what is chosen can be installed in one way at least
        reason = _advised(self._last.reason, choice) if choice is not None else self._last.reason
        return msgspec.structs.replace(self._last, attempts=tuple(self._attempts), reason=reason)

    async def _one(self, request: Request) -> str:
        """Try one way of a candidate; return the code of what kept it from service, empty for nothing."""
        outcome = self._last = await self._admit(self._parts, request)
        await self._parts.store.evidence.add(outcome.evidence, "ranked", self._shown)
        if outcome.outcome == "served":
            return ""
        code, message = (outcome.reason.code, outcome.reason.message) if outcome.reason else ("", outcome.outcome)
        if code == Unsuited.code and self._unsuited is None:
            self._unsuited = request
        if code not in _FINAL:
            self.in_vain(Attempt(ref=str(request.ref), code=code, message=message, evidence=outcome.evidence))
        return code or outcome.outcome


def _lets(parts: Parts, template: Request, appraisal: Appraisal) -> bool:
    """Return whether the policy lets a candidate in by itself, as far as that is known beforehand."""
    candidate = appraisal.candidate
    request = asked_for(template, candidate, appraisal)
    return candidate.installed or parts.performer.lets(asked(request, template.settings, parts.config))


def _advised(reason: Reason | None, choice: Choice) -> Reason | None:
    """Return why the last one failed, with what would let a better one be tried."""
    other = next((each for each in choice.passed_over if each.give), None)
    if reason is None or other is None:
        return reason
    give = f"give {other.ref} what it needs: vsm-mcp add {other.ref} {other.give}"
    return msgspec.structs.replace(reason, hint="; or ".join(filter(None, (reason.hint, give))))


def _before(choice: Choice) -> tuple[Judged, ...]:
    """Return those passed over that were ranked before the first that is tried."""
    best = choice.tried[0].score
    return tuple(each for each in choice.passed_over if each.appraisal.score >= best)


def asked_for(template: Request, way: Candidate, appraisal: Appraisal) -> Request:
    """Return what is asked for one candidate."""
    return msgspec.structs.replace(template, ref=way.ref, known=way, confidence=appraisal.confidence)


def _row(appraisal: Appraisal) -> tuple[str, float, str]:
    return str(appraisal.candidate.ref), appraisal.score, appraisal.reasons[0] if appraisal.reasons else ""


def _shown(appraisal: Appraisal) -> dict[str, object]:
    return {
        "ref": str(appraisal.candidate.ref),
        "score": appraisal.score,
        "confidence": appraisal.confidence,
        "reasons": appraisal.reasons,
        "sources": appraisal.candidate.sources,
    }
