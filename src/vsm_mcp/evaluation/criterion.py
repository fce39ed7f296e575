"""A criterion: the plug-in point ``vsm_mcp.criteria``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from vsm_mcp.model.appraisal import Fact, Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.experience import Experience

UNKNOWN: Final = Score(score=0.5, confidence=0.0)
"""What a criterion answers when it knows nothing: neither good nor bad, and not counted."""


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What candidates are judged against: the need, this machine, and what was learned from use.

    ``pythons`` are the versions of Python here (``3.11.2``, or ``3.13`` where no more is known), our own first;
    ``node`` is the version of Node. Both are empty where the runtime is missing and ``None`` where nobody looked.
    ``system`` is the operating system (``linux``, ``darwin``, ``win32``); ``now`` is Unix time in seconds; ``network``
    says whether servers may use the network, ``containers`` whether images can be run, ``schemes`` which schemes of
    addresses can be spoken (empty: nobody looked), ``secrets`` names the variables the user already has values for.
    ``experience`` is what was seen of servers here, by the identity of their reference.
    """

    need: str
    now: float
    pythons: tuple[str, ...] | None = None
    node: str | None = None
    system: str = ""
    network: bool = True
    containers: bool = False
    schemes: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    experience: Mapping[str, Experience] = {}


class Criterion(Protocol):
    """One view of a candidate. Pure: no clock, no network, the same answer for the same facts."""

    name: str

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the score and confidence (0…1 each) with the facts they rest on, the most telling first."""


def told(candidate: Candidate, field: str, text: str, *, telling: bool = True) -> Fact:
    """Return what a source said in one field of a candidate (``description``, ``facts.licence``) as a fact."""
    return Fact(text, candidate.provenance.get(field, ""), telling)


class Evidence:
    """Facts gathered into one score: their mean by weight, as sure as the weight of those known."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._known = 0.0
        self._asked = 0.0
        self._facts: list[Fact] = []

    def add(self, weight: float, score: float | None, fact: Fact | None = None) -> None:
        """Add one fact; ``score`` is ``None`` where it is not known."""
        self._asked += weight
        if score is not None:
            self._sum += weight * min(1.0, max(0.0, score))
            self._known += weight
        if fact is not None:
            self._facts.append(fact)

    def total(self) -> Score:
        """Return the score; :data:`UNKNOWN` (with what was said) when nothing is known."""
        if not self._known:
            return msgspec.structs.replace(UNKNOWN, facts=tuple(self._facts))
        return Score(score=self._sum / self._known, confidence=self._known / self._asked, facts=tuple(self._facts))
