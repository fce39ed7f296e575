"""Performance: a guess from what its kind costs, until calls of it were timed here."""

from __future__ import annotations

from typing import Final

from vsm_mcp.evaluation.criterion import Circumstances, Evidence, told
from vsm_mcp.evaluation.learned import Seen, often
from vsm_mcp.model.appraisal import Fact, Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.experience import Experience
from vsm_mcp.model.ref import RefKind

_START: Final = {RefKind.NPM: 0.75, RefKind.PYPI: 0.7, RefKind.OCI: 0.4, RefKind.REMOTE: 0.6}
_GUESSED: Final = 0.45
_STRENGTH: Final = 20.0
_TOOL_ERROR: Final = 0.8
_REFUSED: Final = 0.5
_UNMEASURED: Final = Fact("not measured yet", "experience", telling=False)


class Performance:
    """A guess from facts that bear on it, whose confidence stays below one half; then what was measured in use.

    A call that was answered is worth ``1 / (1 + seconds)``, by the typical time of an answer: all of that with a
    result, 0.8 of it with the tool's own error, which may be the caller's fault, and 0.5 with a JSON-RPC error. One
    that was lost or answered with junk is worth nothing, and so is a process that ended by itself.
    """

    name = "performance"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known (direct dependencies 2, network 2, kind 1), then of what was measured."""
        guess = _guess(candidate)
        experience = circumstances.experience.get(candidate.ref.identity)
        measured = None if experience is None else _measured(experience).onto(guess, _STRENGTH)
        if measured is None or measured is guess:
            return Score(score=guess.score, confidence=guess.confidence, facts=(*guess.facts, _UNMEASURED))
        return measured


def _guess(candidate: Candidate) -> Score:
    evidence, launch, facts = Evidence(), candidate.launch, candidate.facts
    count = facts.dependencies
    small = None if count is None else 1.0 - min(count, 40) / 50
    loaded = f"loads {count} direct dependencies"
    evidence.add(2, small, None if count is None else told(candidate, "facts.dependencies", loaded, telling=False))
    if launch is None or launch.network is None:
        evidence.add(2, None)
    elif launch.network:
        evidence.add(2, 0.5, told(candidate, "launch", "asks other machines before it answers", telling=False))
    else:
        evidence.add(2, 0.95, told(candidate, "launch", "answers from this machine"))
    kind = candidate.ref.kind
    start = _START.get(kind)
    evidence.add(1, start, None if start is None else Fact(f"starts as {kind.value} servers do", "kind", telling=False))
    total = evidence.total()
    return Score(score=total.score, confidence=_GUESSED * total.confidence, facts=total.facts)


def _measured(experience: Experience) -> Seen:
    seen = Seen()
    typical = experience.typical_seconds
    if typical is not None:
        worth = 1.0 / (1.0 + typical)
        errors = min(experience.answered, experience.tool_errors)
        refused = min(experience.answered - errors, experience.refused)
        seen.add(experience.answered - errors - refused, worth)
        seen.add(errors, _TOOL_ERROR * worth)
        seen.add(refused, _REFUSED * worth)
        seen.say(f"answered {often(experience.answered)} here, typically in {_duration(typical)}{_said(experience)}")
    seen.happened(experience.lost, 0.0, f"gave no answer {{}} here{_lost(experience)}")
    seen.happened(experience.garbled, 0.0, "answered with what is no MCP {} here")
    seen.happened(experience.crashed, 0.0, "ended by itself {} here")
    return seen


def _said(experience: Experience) -> str:
    """Return, as the end of a sentence, how many of the answers were errors, by class."""
    return _classes((experience.tool_errors, "errors of the tool"), (experience.refused, "refusals"))


def _lost(experience: Experience) -> str:
    return _classes((experience.timed_out, "not in time"), (experience.broken, "broken off"))


def _classes(*counted: tuple[float, str]) -> str:
    words = [f"{round(count):,} {text}" for count, text in counted if round(count)]
    return f" ({', '.join(words)})" if words else ""


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
