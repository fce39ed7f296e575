"""From a need to a server: the candidates in their order, until one passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import msgspec

from vsm_mcp.autopilot.choosing import Choice, Here, Judged, choose, nobody
from vsm_mcp.autopilot.outcome import Attempt, Outcome, Reason, Request
from vsm_mcp.autopilot.parts import Parts
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

    ``template`` carries the need and what was given for it; ``plainly`` are the servers here that have a tool for it.
    Raises :class:`NothingFound` when no candidate can be tried, and :class:`ApprovalNeeded` when the best need what
    nobody gave or allowed.
    """
    need = template.need
    given = permitted(template.settings, profile_of(template.settings, parts.config))
    parts.emit(Ranked(need=need, rows=tuple(_row(appraisal) for appraisal in ranked[:8])))
    here = Here(tools=present(parts.config.environ), kinds=installable(), method=template.method)
    choice = choose(ranked, given, here, plainly)
    if not choice.tried:
        raise nobody(need, choice)
    attempts: list[Attempt] = []

    def in_vain(attempt: Attempt) -> None:
        attempts.append(attempt)
        told = CandidateRejected(
            acquisition=attempt.evidence, ref=attempt.ref, code=attempt.code, message=attempt.message
        )
        parts.emit(told)

    for each in _before(choice):
        in_vain(Attempt(ref=each.ref, code="not_tried", message=each.why_not))
    outcome: Outcome | None = None
    for appraisal in choice.tried[:tries]:
        candidate = appraisal.candidate
        if candidate.installed:
            return await _served_already(parts, candidate)
        for way in here.ways(candidate):
            outcome = await admit(parts, asked_for(template, way, appraisal))
            await parts.store.evidence.add(outcome.evidence, "ranked", [_shown(each) for each in ranked[:8]])
            code = outcome.reason.code if outcome.reason else ""
            if outcome.outcome == "served" or code in _FINAL:
                return msgspec.structs.replace(outcome, attempts=tuple(attempts))
            message = outcome.reason.message if outcome.reason else outcome.outcome
            in_vain(Attempt(ref=str(way.ref), code=code, message=message, evidence=outcome.evidence))
            if code not in _NEXT_WAY:
                break
    assert outcome is not None  # noqa: S101 - what is chosen can be installed in one way at least
    return msgspec.structs.replace(outcome, attempts=tuple(attempts), reason=_advised(outcome.reason, choice))


def _advised(reason: Reason | None, choice: Choice) -> Reason | None:
    """Return why the last one failed, with what would let a better one be tried."""
    better = next((each for each in choice.passed_over if each.give), None)
    if reason is None or better is None:
        return reason
    give = f"give {better.ref} what it needs: vsm-mcp add {better.ref} {better.give}"
    return msgspec.structs.replace(reason, hint="; or ".join(filter(None, (reason.hint, give))))


def _before(choice: Choice) -> tuple[Judged, ...]:
    """Return those passed over that were ranked before the first that is tried."""
    best = choice.tried[0].score
    return tuple(each for each in choice.passed_over if each.appraisal.score >= best)


def asked_for(template: Request, way: Candidate, appraisal: Appraisal) -> Request:
    """Return what is asked for one candidate."""
    return msgspec.structs.replace(template, ref=way.ref, known=way, confidence=appraisal.confidence)


async def _served_already(parts: Parts, candidate: Candidate) -> Outcome:
    server = await parts.store.servers.get(candidate.name)
    return Outcome(
        outcome="served",
        ref=str(server.ref),
        evidence=server.acquisition,
        server=server.name,
        version=server.version,
        tools=tuple(exposed(server.name, tool) for tool in parts.fleet().get(server.name, ())),
        warnings=("it was served already",),
    )


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
