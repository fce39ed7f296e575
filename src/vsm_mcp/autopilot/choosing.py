"""Which of the ranked candidates of a need may be tried here, in which order, and why the others not: pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from vsm_mcp.autopilot.launch import inputs_of, missing_inputs, options_for
from vsm_mcp.errors import ApprovalNeeded, NothingFound
from vsm_mcp.install.choice import lacking, ways
from vsm_mcp.model.appraisal import Appraisal
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Input, LaunchFacts, Settings
from vsm_mcp.model.ref import RefKind

NEARLY: Final = 0.95
"""What is tried has at least this share of the score of the best one that lacks no more than a value.

Else a need for what only the person has (their database, their folder) would be met by whatever asks for nothing. A
host that nobody allowed sets no such bar: who keeps the network off wants what does without."""
AS_GOOD: Final = 0.85
"""What needs no person's leave is tried before what does, if it has at least this share of the best one's score."""
_OF_THIS_MACHINE: Final = (RefKind.CMD, RefKind.DIR)


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


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate, and what keeps it from being tried: ``why_not``, and the options that would help (``give``).

    ``missing`` are the values that nobody gave, where it is these.
    """

    appraisal: Appraisal
    why_not: str = ""
    give: str = ""
    missing: tuple[Input, ...] = ()

    @property
    def ref(self) -> str:
        """The reference of the candidate."""
        return str(self.appraisal.candidate.ref)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried, the best first, and what was passed over, each in the order of the ranking."""

    tried: tuple[Appraisal, ...]
    passed_over: tuple[Judged, ...]


def choose(ranked: Sequence[Appraisal], given: Settings, here: Here, plainly: Collection[str] = ()) -> Choice:
    """Return which candidates may be tried with what was given.

    ``plainly`` are the servers here of which a tool plainly does what is needed: another one that is served already is
    no answer, however well it is known. One that is much worse than one that lacks no more than a value is none
    either.
    """
    judged = [_judged(appraisal, given, here, plainly) for appraisal in ranked]
    bar = NEARLY * max((each.appraisal.score for each in judged if each.missing), default=0.0)
    fit = [each.appraisal for each in judged if not each.why_not]
    tried = tuple(each for each in fit if each.score >= bar or each.candidate.installed)
    return Choice(tried=tried, passed_over=tuple(each for each in judged if each.why_not))


def unasked_first(tried: Sequence[Appraisal], lets: Callable[[Appraisal], bool]) -> tuple[Appraisal, ...]:
    """Return the candidates, those first that the policy ``lets`` in by itself and that are about as good as the best.

    Whoever is not there cannot agree, and whoever is there is not asked without need.
    """
    bar = AS_GOOD * max((each.score for each in tried), default=0.0)
    return tuple(sorted(tried, key=lambda each: each.score < bar or not lets(each)))


def better(choice: Choice) -> Judged | None:
    """Return the best of those that lack no more than a value, if it is better than whatever can be tried."""
    bar = choice.tried[0].score if choice.tried else 0.0
    return next((each for each in choice.passed_over if each.missing and each.appraisal.score >= bar), None)


def wanting(need: str, best: Judged) -> ApprovalNeeded:
    """Return the error that asks for what the best candidate lacks."""
    return _asking(f"for {need!r} {best.ref} {best.why_not}", best)


def nobody(need: str, choice: Choice) -> NothingFound | ApprovalNeeded:
    """Return the error for a need of which no candidate can be tried."""
    if not choice.passed_over:
        return NothingFound(f"no server was found for {need!r}")
    if all(each.appraisal.candidate.installed for each in choice.passed_over):
        served = ", ".join(each.appraisal.candidate.name for each in choice.passed_over[:3])
        return NothingFound(
            f"for {need!r} only what is served already was found ({served}), and none of its tools plainly does it",
            "vsm-mcp tools QUERY shows what is there",
        )
    reasons = "; ".join(f"{each.ref} {each.why_not}" for each in choice.passed_over[:3])
    message = f"servers for {need!r} were found, but the best of them need something first: {reasons}"
    return _asking(message, next((each for each in choice.passed_over if each.give), None))


def _asking(message: str, best: Judged | None) -> ApprovalNeeded:
    if best is None:
        return ApprovalNeeded(message, "vsm-mcp add REF takes one by name")
    error = ApprovalNeeded(message, f"give it what it needs: vsm-mcp add {best.ref} {best.give}")
    error.ref, error.values = best.ref, inputs_of(best.missing)
    return error


def _judged(appraisal: Appraisal, given: Settings, here: Here, plainly: Collection[str]) -> Judged:
    candidate = appraisal.candidate
    if candidate.installed:
        why_not = "" if candidate.name in plainly else "is served already, and none of its tools plainly does it"
        return Judged(appraisal=appraisal, why_not=why_not)
    if candidate.ref.kind in _OF_THIS_MACHINE:
        what = "program" if candidate.ref.kind is RefKind.CMD else "folder"
        return Judged(appraisal=appraisal, why_not=f"a {what} of this machine is not tried unasked: vsm-mcp add")
    if reason := here.why_not(candidate):
        return Judged(appraisal=appraisal, why_not=reason)
    launch = candidate.launch or LaunchFacts()
    missing = () if given.args else tuple(missing_inputs(launch.inputs, given))
    if missing:
        names = ", ".join(item.name for item in missing)
        return Judged(appraisal=appraisal, why_not=f"needs {names}", give=options_for(missing), missing=missing)
    if launch.network and not given.hosts and not given.network:
        return Judged(appraisal=appraisal, why_not="needs the network: --allow-host HOST", give="--allow-host HOST")
    return Judged(appraisal=appraisal)
