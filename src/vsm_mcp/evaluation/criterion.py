"""A criterion: the plug-in point ``vsm_mcp.criteria``."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate

UNKNOWN: Final = Score(score=0.5, confidence=0.0)
"""What a criterion answers when it knows nothing: neither good nor bad, and not counted."""


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What candidates are judged against: the need and this machine.

    ``python`` and ``node`` are version numbers (``3.11.2``) of the newest one here, empty where the runtime is missing,
    ``None`` where nobody looked; ``now`` is Unix time in seconds; ``network`` says whether servers may use the network,
    ``containers`` whether images can be run, ``secrets`` names the variables the user already has values for.
    """

    need: str
    now: float
    python: str | None = None
    node: str | None = None
    network: bool = True
    containers: bool = False
    secrets: frozenset[str] = frozenset()


class Criterion(Protocol):
    """One view of a candidate. Pure: no clock, no network, the same answer for the same facts."""

    name: str

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the score and confidence (0…1 each) with the facts they rest on, the most telling first."""


class Evidence:
    """Facts gathered into one score: their mean by weight, as sure as the weight of those known."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._known = 0.0
        self._asked = 0.0
        self._facts: list[str] = []

    def add(self, weight: float, score: float | None, fact: str = "") -> None:
        """Add one fact; ``score`` is ``None`` where it is not known."""
        self._asked += weight
        if score is not None:
            self._sum += weight * min(1.0, max(0.0, score))
            self._known += weight
        if fact:
            self._facts.append(fact)

    def total(self) -> Score:
        """Return the score; :data:`UNKNOWN` (with what was said) when nothing is known."""
        if not self._known:
            return msgspec.structs.replace(UNKNOWN, facts=tuple(self._facts))
        return Score(score=self._sum / self._known, confidence=self._known / self._asked, facts=tuple(self._facts))
