"""Security, as far as it shows before the files are fetched, and what vetting and people said of it here before."""

from __future__ import annotations

from typing import Final

from vsm_mcp.evaluation.criterion import Circumstances, Evidence, told
from vsm_mcp.evaluation.learned import Seen
from vsm_mcp.evaluation.lettering import disguised
from vsm_mcp.model.appraisal import Fact, Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.experience import Experience
from vsm_mcp.model.launch import InputKind, LaunchFacts
from vsm_mcp.model.ref import RefKind

_STRENGTH: Final = 2.0


class Security:
    """Who vouches for it, how much code it pulls in, what it asks for, and what vetting saw."""

    name = "security"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known, then of what vetting and people said.

        Curation weighs 4, a name in disguise 4, everything else 1: dependencies, network, secrets, maintainers,
        republications, running elsewhere.
        """
        evidence, facts = Evidence(), candidate.facts
        if candidate.curated:
            evidence.add(4, 1.0, Fact("curated in the built-in catalogue", "catalogue"))
        else:
            evidence.add(4, 1.0 if candidate.installed else None)
        letter = disguised(candidate.name) or disguised(candidate.ref.name)
        if letter:
            said = f"its name holds a letter that looks like another one: {letter}"
            evidence.add(4, 0.0, told(candidate, "name", said))
        if candidate.variants:
            said = f"republished {candidate.variants} times under other names"
            evidence.add(1, 0.5, Fact(said, "index"))
        count = facts.dependencies
        few = None if count is None else 1.0 - min(count, 40) / 50
        evidence.add(1, few, None if count is None else told(candidate, "facts.dependencies", _direct(count)))
        _asked_for(evidence, candidate, candidate.launch)
        people = facts.maintainers
        said = f"{people} maintainers"
        known = None if people is None else told(candidate, "facts.maintainers", said, telling=False)
        evidence.add(1, None if people is None else 0.8 if people > 1 else 0.6, known)
        remote = candidate.ref.kind is RefKind.REMOTE
        evidence.add(1, 0.3 if remote else None, Fact("runs on somebody else's machine", "kind") if remote else None)
        seen = circumstances.experience.get(candidate.ref.identity)
        return evidence.total() if seen is None else _vetted(seen).onto(evidence.total(), _STRENGTH)


def _direct(count: int) -> str:
    return f"{count} direct dependencies"


def _asked_for(evidence: Evidence, candidate: Candidate, launch: LaunchFacts | None) -> None:
    """Add what it asks for before it can work: the network, secrets."""
    if launch is None or launch.network is None:
        evidence.add(1, None)
    elif launch.network:
        evidence.add(1, 0.6, told(candidate, "launch", "sends and receives over the network", telling=False))
    else:
        evidence.add(1, 1.0, told(candidate, "launch", "works without the network"))
    if launch is None:
        evidence.add(1, None)
    elif any(each.kind is InputKind.SECRET for each in launch.inputs):
        evidence.add(1, 0.6, told(candidate, "launch", "is given a secret", telling=False))
    else:
        evidence.add(1, 1.0, told(candidate, "launch", "is given no secret", telling=False))


def _vetted(experience: Experience) -> Seen:
    seen = Seen()
    seen.happened(experience.denied, 0.0, "a person said no to it here {}")
    seen.happened(experience.objected, 0.0, "vetting objected to it here {}")
    seen.happened(experience.approved, 1.0, "a person looked and agreed to it here {}")
    seen.happened(experience.cleared, 1.0, "passed vetting here {}")
    return seen
