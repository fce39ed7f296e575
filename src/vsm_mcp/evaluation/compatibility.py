"""Compatibility: whether it can run here, and what it asks of the user first."""

from __future__ import annotations

import re
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from vsm_mcp.evaluation.criterion import Circumstances, Evidence
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts
from vsm_mcp.model.ref import RefKind

_RANGE: Final = re.compile(r"(>=|<=|>|<|\^|~|=)?\s*v?(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?")


class Compatibility:
    """Runtime versions, the network, and values that only the user has."""

    name = "compatibility"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known: runtime 3, values 3, network 2; nothing for one that cannot run here."""
        evidence, launch = Evidence(), candidate.launch
        runs, said = _runtime(candidate, circumstances)
        if runs is False:
            return Score(score=0.0, confidence=1.0, facts=(said,))
        evidence.add(3, None if runs is None else 1.0, said)
        evidence.add(3, *_values(launch, circumstances))
        evidence.add(2, *_network(launch, circumstances))
        return evidence.total()


def _values(launch: LaunchFacts | None, circumstances: Circumstances) -> tuple[float | None, str]:
    if launch is None:
        return None, ""
    missing = [each for each in launch.inputs if each.required and each.name not in circumstances.secrets]
    keys = [each for each in missing if each.kind is InputKind.SECRET]
    if keys:
        return 0.1, f"needs a key: {_names(keys)}"
    if missing:
        return 0.6, f"needs a value: {_names(missing)}"
    return 1.0, "needs no key"


def _names(inputs: list[Input]) -> str:
    return ", ".join(each.name for each in inputs[:3]) + (", …" if len(inputs) > 3 else "")


def _network(launch: LaunchFacts | None, circumstances: Circumstances) -> tuple[float | None, str]:
    if launch is None or launch.network is None:
        return None, ""
    if not launch.network:
        return 1.0, "works without the network"
    return (0.6, "needs the network") if circumstances.network else (0.0, "needs the network, which the policy forbids")


def _runtime(candidate: Candidate, circumstances: Circumstances) -> tuple[bool | None, str]:
    kind, facts = candidate.ref.kind, candidate.facts
    if kind is RefKind.OCI:
        return (True, "") if circumstances.containers else (False, "needs a container runtime, which is not here")
    if kind is RefKind.NPM:
        return _fits("node", circumstances.node, facts.requires_node, node_fits)
    if kind is RefKind.PYPI:
        return _fits("python", circumstances.python, facts.requires_python, python_fits)
    return None, ""


def _fits(runtime: str, here: str | None, wanted: str | None, fits: object) -> tuple[bool | None, str]:
    if here is None:
        return None, ""
    if not here:
        return False, f"needs {runtime}, which is not here"
    answer = fits(here, wanted) if wanted and callable(fits) else None
    if answer is False:
        return False, f"needs {runtime} {wanted}, here is {here}"
    return answer, ""


def python_fits(here: str, wanted: str) -> bool | None:
    """Return whether a Python version meets ``Requires-Python`` (PEP 440); ``None`` where that cannot be read."""
    try:
        return SpecifierSet(wanted).contains(Version(here), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return None


def node_fits(here: str, wanted: str) -> bool | None:
    """Return whether a Node version meets ``engines.node`` (npm's ranges); ``None`` where that cannot be read."""
    version = _number(here)
    if version is None:
        return None
    answers = [_all_fit(version, part) for part in wanted.split("||")]
    return None if None in answers and True not in answers else True in answers


def _number(text: str) -> tuple[int, int, int] | None:
    parts = re.match(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?", text.strip())
    return (int(parts[1]), int(parts[2] or 0), int(parts[3] or 0)) if parts else None


def _all_fit(version: tuple[int, int, int], text: str) -> bool | None:
    text = re.sub(r"(\S+)\s+-\s+(\S+)", r">=\1 <=\2", text.strip())
    if text in {"", "*", "x", "latest", "node"}:
        return True
    bounds = _RANGE.findall(text)
    return all(_one_fits(version, *bound) for bound in bounds) if bounds else None


def _one_fits(version: tuple[int, int, int], sign: str, *given: str) -> bool:
    known = [int(part) for part in given if part.isdigit()]
    low = (known[0], known[1] if len(known) > 1 else 0, known[2] if len(known) > 2 else 0)
    head = version[: len(known)]
    match sign:
        case ">=":
            return version >= low
        case ">":
            return head > tuple(known)
        case "<":
            return version < low
        case "<=":
            return head <= tuple(known)
        case "^":
            return version >= low and version[0] == low[0]
        case "~":
            return version >= low and version[: min(2, len(known))] == low[: min(2, len(known))]
        case _:
            return head == tuple(known)
