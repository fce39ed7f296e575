"""Security, as far as it shows before the files are fetched; vetting judges the rest."""

from __future__ import annotations

from vsm_mcp.evaluation.criterion import Circumstances, Evidence
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import InputKind
from vsm_mcp.model.ref import RefKind


class Security:
    """Who vouches for it, how much code it pulls in, and what it asks for."""

    name = "security"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known: curation 4, dependencies 1, network 1, secrets 1, maintainers 1, kind 1."""
        evidence, facts = Evidence(), candidate.facts
        vouched = candidate.curated or candidate.installed
        evidence.add(4, 1.0 if vouched else None, "curated in the built-in catalogue" if candidate.curated else "")
        if candidate.variants:
            evidence.add(1, 0.5, f"republished {candidate.variants} times under other names")
        few = None if facts.dependencies is None else 1.0 - min(facts.dependencies, 40) / 50
        evidence.add(1, few, "" if facts.dependencies is None else f"{facts.dependencies} direct dependencies")
        launch = candidate.launch
        network = None if launch is None or launch.network is None else 0.6 if launch.network else 1.0
        evidence.add(1, network, "works without the network" if network == 1.0 else "")
        secrets = None if launch is None else any(each.kind is InputKind.SECRET for each in launch.inputs)
        evidence.add(1, None if secrets is None else 0.6 if secrets else 1.0)
        evidence.add(1, None if facts.maintainers is None else 0.8 if facts.maintainers > 1 else 0.6)
        remote = candidate.ref.kind is RefKind.REMOTE
        evidence.add(1, 0.3 if remote else None, "runs on somebody else's machine" if remote else "")
        return evidence.total()
