"""Compatibility: whether it can run here, and what it asks of the user first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from vsm_mcp.evaluation.criterion import Circumstances, Evidence, told
from vsm_mcp.evaluation.learned import Seen
from vsm_mcp.model.appraisal import Fact, Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.experience import Experience
from vsm_mcp.model.launch import Input, InputKind
from vsm_mcp.model.node_range import node_fits
from vsm_mcp.model.ref import RefKind

_STRENGTH: Final = 1.0
_TRANSPORTS: Final = {"stdio": 1.0, "streamable-http": 1.0, "http+sse": 0.6, "sse": 0.6}
"""The transport of HTTP with SSE is deprecated by the specification (2025-03-26, "Transports")."""


class Compatibility:
    """Runtime versions, operating system, network, transport, protocol era, and values that only the user has."""

    name = "compatibility"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known, then of how it ran here; nothing for one that cannot run here.

        Runtime and values weigh 3 each, the network 2, operating system, transport and era 1 each.
        """
        evidence = Evidence()
        runs = runtime(candidate, circumstances)
        fits, system = _system(candidate, circumstances)
        if runs.fits is False or fits is False:
            wrong = runs.fact if runs.fits is False else system
            return Score(score=0.0, confidence=1.0, facts=(wrong,) if wrong else ())
        evidence.add(3, None if runs.fits is None else 1.0, runs.fact)
        evidence.add(3, *_values(candidate, circumstances))
        evidence.add(2, *_network(candidate, circumstances))
        evidence.add(1, None if fits is None else 1.0, system)
        evidence.add(1, *_transport(candidate))
        evidence.add(1, *_era(candidate))
        seen = circumstances.experience.get(candidate.ref.identity)
        return evidence.total() if seen is None else _tried(seen).onto(evidence.total(), _STRENGTH)


class Runs(msgspec.Struct, frozen=True):
    """Whether what runs a candidate is ``here`` and its version ``fits``; ``None`` where that is not known."""

    here: bool | None
    fits: bool | None
    fact: Fact | None = None


def runtime(candidate: Candidate, circumstances: Circumstances) -> Runs:
    """Return what is known of the program that would run a candidate: Python, Node, containers, or none of ours."""
    kind, facts = candidate.ref.kind, candidate.facts
    if kind is RefKind.OCI:
        here = circumstances.containers
        lacking = None if here else Fact("needs a container runtime, which is not here", "machine")
        return Runs(here, here, lacking)
    if kind is RefKind.NPM:
        versions = None if circumstances.node is None else (circumstances.node,) if circumstances.node else ()
        wanted = facts.requires_node
        return _version("node", versions, wanted, node_fits, told(candidate, "facts.requires_node", ""))
    if kind is RefKind.PYPI:
        wanted = facts.requires_python
        spec = told(candidate, "facts.requires_python", "")
        return _version("python", circumstances.pythons, wanted, python_fits, spec)
    if kind is RefKind.REMOTE:
        return _address(candidate.ref.name, circumstances.schemes)
    return Runs(None, None)


def _address(url: str, schemes: frozenset[str]) -> Runs:
    """A server that runs elsewhere needs no runtime, but its address must be one that can be spoken to."""
    scheme = url.split("://", 1)[0]
    if not schemes or scheme in schemes:
        return Runs(True, True if schemes else None)
    return Runs(False, False, Fact(f"is reached over {scheme}, which cannot be spoken here", "machine"))


def _version(
    name: str,
    versions: tuple[str, ...] | None,
    wanted: str | None,
    fits: Callable[[str, str], bool | None],
    said: Fact,
) -> Runs:
    if versions is None:
        return Runs(None, None)
    if not versions:
        return Runs(False, False, Fact(f"needs {name}, which is not here", "machine"))
    if not wanted:
        return Runs(True, None)
    answers = {version: fits(version, wanted) for version in versions}
    good = next((version for version, answer in answers.items() if answer), None)
    if good is not None:
        text = f"needs {name} {wanted}, here is {good}"
        return Runs(True, True, Fact(text, said.source, telling=False))
    if None in answers.values():
        return Runs(True, None)
    return Runs(True, False, Fact(f"needs {name} {wanted}, here is {', '.join(versions)}", said.source))


def _system(candidate: Candidate, circumstances: Circumstances) -> tuple[bool | None, Fact | None]:
    given, here = candidate.facts.systems, circumstances.system
    if not given or not here:
        return None, None
    names = given.split()
    excluded = {name[1:] for name in names if name.startswith("!")}
    included = {name for name in names if not name.startswith("!")}
    fits = here not in excluded and (not included or here in included)
    text = f"is made for {' '.join(names)}" + ("" if fits else f", here is {here}")
    return fits, told(candidate, "facts.systems", text, telling=not fits)


def _values(candidate: Candidate, circumstances: Circumstances) -> tuple[float | None, Fact | None]:
    launch = candidate.launch
    if launch is None:
        return None, None
    missing = [each for each in launch.inputs if each.required and each.name not in circumstances.secrets]
    keys = [each for each in missing if each.kind is InputKind.SECRET]
    if keys:
        return 0.1, told(candidate, "launch", f"needs a key: {_names(keys)}")
    if missing:
        return 0.6, told(candidate, "launch", f"needs a value: {_names(missing)}")
    return 1.0, told(candidate, "launch", "needs no key")


def _names(inputs: list[Input]) -> str:
    return ", ".join(each.name for each in inputs[:3]) + (", …" if len(inputs) > 3 else "")


def _network(candidate: Candidate, circumstances: Circumstances) -> tuple[float | None, Fact | None]:
    launch = candidate.launch
    if launch is None or launch.network is None:
        return None, None
    if not launch.network:
        return 1.0, told(candidate, "launch", "works without the network")
    if circumstances.network:
        return 0.6, told(candidate, "launch", "needs the network")
    return 0.0, told(candidate, "launch", "needs the network, which the policy forbids")


def _transport(candidate: Candidate) -> tuple[float | None, Fact | None]:
    given = candidate.facts.transport
    if not given:
        return None, None
    score = _TRANSPORTS.get(given, 0.8)
    return score, told(candidate, "facts.transport", f"speaks over {given}", telling=False)


def _era(candidate: Candidate) -> tuple[float | None, Fact | None]:
    given = candidate.facts.era
    if not given:
        return None, None
    if given == "modern":
        return 1.0, told(candidate, "facts.era", "speaks the stateless protocol", telling=False)
    return 0.8, told(candidate, "facts.era", "speaks a protocol with a handshake, which is bridged", telling=False)


def _tried(experience: Experience) -> Seen:
    seen = Seen()
    seen.happened(experience.trials_failed, 0.0, "failed its trial here {}")
    seen.happened(experience.rolled_back, 0.0, "could not be installed here {}")
    seen.happened(experience.reverted, 0.0, "a newer version of it had to give way here {}")
    seen.happened(experience.trials_passed, 1.0, "passed its trial here {}")
    return seen


def python_fits(here: str, wanted: str) -> bool | None:
    """Return whether a Python version meets ``Requires-Python`` (PEP 440); ``None`` where that cannot be read.

    Of a version without its last part (``3.13``), it is known where the first and the last of them agree.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - once a candidate says what it wants
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    whole = (here,) if here.count(".") > 1 else (f"{here}.0", f"{here}.99")
    try:
        specifiers = SpecifierSet(wanted)
        answers = {specifiers.contains(Version(each), prereleases=True) for each in whole}
        return answers.pop() if len(answers) == 1 else None
    except (InvalidSpecifier, InvalidVersion):
        return None
