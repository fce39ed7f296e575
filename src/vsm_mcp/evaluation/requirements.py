"""Hard requirements: what a candidate must meet to be ranked at all. Pure.

Each is met, not met, or not known; who asks for one wants to be sure, so that *not known* never counts as met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from vsm_mcp.evaluation.compatibility import runtime
from vsm_mcp.evaluation.criterion import Circumstances
from vsm_mcp.evaluation.spdx import accepts
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import InputKind
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.wants import Requirement, Wants

_HERE: Final = frozenset({RefKind.DIR, RefKind.CMD})
LATE: Final = frozenset({Requirement.LICENCE, Requirement.RUNTIME})
"""What a registry may still tell about a candidate when it is asked for its own word."""

_OPTIONS: Final[Mapping[Requirement, str]] = {
    Requirement.NO_KEY: "--no-key",
    Requirement.NO_NETWORK: "--no-network",
    Requirement.OFFLINE: "--offline",
    Requirement.LICENCE: "--licence",
    Requirement.RUNTIME: "--runtime",
}


class Unmet(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement that a candidate does not meet; ``known`` is false where nobody knows whether it does."""

    requirement: Requirement
    why: str
    known: bool = True


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that was left out, and every requirement that it does not meet."""

    ref: str
    unmet: tuple[Unmet, ...]


def unmet(candidate: Candidate, circumstances: Circumstances, wants: Wants) -> tuple[Unmet, ...]:
    """Return the requirements that a candidate is not known to meet."""
    answers = (_CHECKS[requirement](candidate, circumstances, wants) for requirement in wants.requirements)
    return tuple(answer for answer in answers if answer is not None)


def divide(
    candidates: Iterable[Candidate], circumstances: Circumstances, wants: Wants, *, early: bool = False
) -> tuple[list[Candidate], list[LeftOut]]:
    """Return the candidates that meet everything, in their order, and those that are left out.

    ``early`` says that the registries were not asked yet: what they may still tell is waited for.
    """
    kept: list[Candidate] = []
    out: list[LeftOut] = []
    for candidate in candidates:
        wrong = [
            each
            for each in unmet(candidate, circumstances, wants)
            if each.known or not (early and each.requirement in LATE)
        ]
        if wrong:
            out.append(LeftOut(ref=str(candidate.ref), unmet=tuple(wrong)))
        else:
            kept.append(candidate)
    return kept, out


def counts(left_out: Iterable[LeftOut]) -> dict[Requirement, tuple[int, int]]:
    """Return how many each requirement left out, and of how many of those it is not known; those that left out any."""
    found: dict[Requirement, tuple[int, int]] = {}
    for each in (each for one in left_out for each in one.unmet):
        count, unknown = found.get(each.requirement, (0, 0))
        found[each.requirement] = (count + 1, unknown + (not each.known))
    return found


def in_words(left_out: Iterable[LeftOut]) -> str:
    """Return which requirement left out how many, the most first: ``--no-key 7 (5 not known)``."""
    by_count = sorted(counts(left_out).items(), key=lambda item: (-item[1][0], item[0]))
    return ", ".join(
        f"{_OPTIONS[requirement]} {count}" + (f" ({unknown} not known)" if unknown else "")
        for requirement, (count, unknown) in by_count
    )


def _no_key(candidate: Candidate, _circumstances: Circumstances, _wants: Wants) -> Unmet | None:
    launch = candidate.launch
    if launch is None:
        return Unmet(requirement=Requirement.NO_KEY, why="nobody says whether it needs a key", known=False)
    keys = [each.name for each in launch.inputs if each.required and each.kind is InputKind.SECRET]
    return Unmet(requirement=Requirement.NO_KEY, why=f"needs a key: {', '.join(keys[:3])}") if keys else None


def _no_network(candidate: Candidate, _circumstances: Circumstances, _wants: Wants) -> Unmet | None:
    return _networked(candidate, Requirement.NO_NETWORK)


def _offline(candidate: Candidate, _circumstances: Circumstances, _wants: Wants) -> Unmet | None:
    if not candidate.installed and candidate.ref.kind not in _HERE:
        return Unmet(requirement=Requirement.OFFLINE, why="has to be fetched first")
    return _networked(candidate, Requirement.OFFLINE)


def _networked(candidate: Candidate, requirement: Requirement) -> Unmet | None:
    launch = candidate.launch
    if candidate.ref.kind is RefKind.REMOTE:
        return Unmet(requirement=requirement, why="runs elsewhere")
    if launch is None or launch.network is None:
        return Unmet(requirement=requirement, why="nobody says whether it needs the network", known=False)
    return Unmet(requirement=requirement, why="needs the network") if launch.network else None


def _licence(candidate: Candidate, _circumstances: Circumstances, wants: Wants) -> Unmet | None:
    given = candidate.facts.licence
    answer = accepts(given, wants.licences) if given else None
    if answer:
        return None
    why = f"its licence is {given[:40]}" if given else "its licence is not known"
    return Unmet(requirement=Requirement.LICENCE, why=why, known=answer is False)


def _runtime(candidate: Candidate, circumstances: Circumstances, _wants: Wants) -> Unmet | None:
    runs = runtime(candidate, circumstances)
    if runs.fits is False:
        why = runs.fact.text if runs.fact else "cannot run here"
        return Unmet(requirement=Requirement.RUNTIME, why=why)
    if candidate.installed or runs.here:
        return None
    return Unmet(requirement=Requirement.RUNTIME, why="nobody knows what runs it", known=False)


_CHECKS: Final[Mapping[Requirement, Callable[[Candidate, Circumstances, Wants], Unmet | None]]] = {
    Requirement.NO_KEY: _no_key,
    Requirement.NO_NETWORK: _no_network,
    Requirement.OFFLINE: _offline,
    Requirement.LICENCE: _licence,
    Requirement.RUNTIME: _runtime,
}
