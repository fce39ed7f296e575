"""From a need to a server: the candidates in their order, until one passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from vsm_mcp.autopilot.outcome import Outcome, Request, outcome_of
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.errors import ApprovalNeeded, NothingFound
from vsm_mcp.events import CandidateRejected, Ranked
from vsm_mcp.install.choice import installable, lacking, ways
from vsm_mcp.install.tools import present
from vsm_mcp.model.appraisal import Appraisal
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import RefKind
from vsm_mcp.routing.names import exposed
from vsm_mcp.runtime.permissions import permitted, profile_of

_OF_THIS_MACHINE: Final = (RefKind.CMD, RefKind.DIR)
# Ends that say something of one way to install a candidate, and nothing of the next.
_NEXT_WAY: Final = ("install_failed", "unknown_package", "registry_unavailable")
# Ends that no other candidate would change: a person must speak first.
_FINAL: Final = ("approval_needed",)

Admit = Callable[[Parts, Request], Awaitable[Outcome]]


async def acquire(parts: Parts, template: Request, ranked: Sequence[Appraisal], tries: int, admit: Admit) -> Outcome:
    """Try the best ``tries`` candidates of a need in turn; return the first that is served, or the last outcome.

    ``template`` carries the need and what was given for it. Raises :class:`NothingFound` when no candidate can be
    tried, and :class:`ApprovalNeeded` when those that fit need what nobody allowed.
    """
    need = template.need
    given = permitted(template.settings, profile_of(template.settings, parts.config))
    parts.emit(Ranked(need=need, rows=tuple(_row(appraisal) for appraisal in ranked[:8])))
    here = Here(tools=present(parts.config.environ), kinds=installable(), method=template.method)
    judged = [(appraisal, why_not(appraisal, given, here)) for appraisal in ranked]
    eligible = [appraisal for appraisal, why in judged if not why]
    if not eligible:
        raise _nobody(need, judged)
    for appraisal, why in takewhile(lambda pair: pair[1], judged):
        parts.emit(CandidateRejected(acquisition="", ref=str(appraisal.candidate.ref), code="not_tried", message=why))
    outcome: Outcome | None = None
    for appraisal in eligible[:tries]:
        candidate = appraisal.candidate
        if candidate.installed:
            return await _served_already(parts, candidate)
        for way in here.ways(candidate):
            outcome = await admit(parts, asked_for(template, way, appraisal))
            await parts.store.evidence.add(outcome.evidence, "ranked", [_shown(each) for each in ranked[:8]])
            code = outcome.reason.code if outcome.reason else ""
            if outcome.outcome == "served" or code in _FINAL:
                return outcome
            message = outcome.reason.message if outcome.reason else outcome.outcome
            rejected = CandidateRejected(acquisition=outcome.evidence, ref=str(way.ref), code=code, message=message)
            parts.emit(rejected)
            if code not in _NEXT_WAY:
                break
    return outcome or outcome_of(NothingFound(f"nothing was found for {need!r}"), template, "")


def asked_for(template: Request, way: Candidate, appraisal: Appraisal) -> Request:
    """Return what is asked for one candidate."""
    return msgspec.structs.replace(template, ref=way.ref, known=way, confidence=appraisal.confidence)


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine can install: the ``tools`` it has, the ``kinds`` of installers, the ``method`` asked for."""

    tools: frozenset[str]
    kinds: frozenset[str]
    method: str = ""

    def ways(self, candidate: Candidate) -> tuple[Candidate, ...]:
        """Return the candidate under each reference that can be installed here, in order."""
        return tuple(
            each for each in ways(candidate, self.method) if not lacking(each.ref.kind, self.tools, self.kinds)
        )

    def why_not(self, candidate: Candidate) -> str:
        """Return why a candidate cannot be installed here at all; "" where it can."""
        if self.ways(candidate):
            return ""
        if self.method and not ways(candidate, self.method):
            offered = dict.fromkeys(each.ref.kind.value for each in ways(candidate))
            return f"cannot be installed by {self.method}: it offers {', '.join(offered)}"
        reasons = dict.fromkeys(lacking(each.ref.kind, self.tools, self.kinds) for each in ways(candidate, self.method))
        return "; ".join(reasons)


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


def why_not(appraisal: Appraisal, settings: Settings, here: Here) -> str:
    """Return why a candidate cannot be tried with what was given; empty when it can."""
    candidate = appraisal.candidate
    if candidate.installed:
        return ""
    if candidate.ref.kind in _OF_THIS_MACHINE:
        what = "program" if candidate.ref.kind is RefKind.CMD else "folder"
        return f"a {what} of this machine is not tried unasked: vsm-mcp add"
    if reason := here.why_not(candidate):
        return reason
    launch = candidate.launch
    if launch is None:
        return ""
    given = {*settings.env, *settings.secrets}
    missing = [
        item.name
        for item in launch.inputs
        if item.required and not item.default and item.name not in given and not settings.args
    ]
    if missing:
        return f"needs {', '.join(missing)}"
    if launch.network and not settings.hosts and not settings.network:
        return "needs the network: --allow-host HOST"
    return ""


def _nobody(need: str, judged: Sequence[tuple[Appraisal, str]]) -> NothingFound | ApprovalNeeded:
    if not judged:
        return NothingFound(f"no server was found for {need!r}")
    reasons = "; ".join(f"{each.candidate.ref} {why}" for each, why in judged[:3])
    return ApprovalNeeded(
        f"servers for {need!r} were found, but each needs something first: {reasons}",
        "give the best one what it needs: vsm-mcp add REF --env …, --secret …, --arg …, --allow-host …",
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
