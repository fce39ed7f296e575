"""How risky an admission is, as far as that is known before anything of it was fetched. Pure.

Each thing that speaks against it takes its share of what is left of the trust: risk = 1 - (1 - w1)(1 - w2)…, the noisy
or of J. Pearl (*Probabilistic Reasoning in Intelligent Systems*, 1988, 4.3.2). The weights are ours, set so that each
thing that is granted is above the default bound of ``[policy] guarded_risk`` (0.3) by itself; that nobody put it into
the catalogue is below it, and above it together with anything else. What vetting and the trial find is not in it: what
they object to is not admitted unasked at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

_GRANTED: Final = (
    ("unsandboxed", 0.9, "it runs without a sandbox"),
    ("whole_network", 0.7, "it reaches all that this machine reaches"),
    ("scripts", 0.6, "it runs install scripts"),
    ("secrets", 0.5, "it is given secrets"),
    ("network", 0.4, "it reaches the network"),
)
_UNCURATED: Final = 0.2
_YOUNG, YOUNG_DAYS = 0.2, 30.0
_RARE, RARE_DOWNLOADS = 0.15, 1000.0
_UNSURE: Final = 0.15
_SURE: Final = 0.6

Facts = Mapping[str, str | bool | float]


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """A ``score`` in 0…1, and why, the weightiest first."""

    score: float
    reasons: tuple[str, ...] = ()


def risk_of(facts: Facts) -> Risk:
    """Return the risk of an admission with these facts (see ``policy.decide``); what is not known adds nothing.

    ``age_days`` is the age of the version, ``downloads`` are those of a month, ``confidence`` is the appraisal's, 0…1.
    They count only for what is not in the built-in catalogue: somebody has looked at that.
    """
    found = [(weight, reason) for fact, weight, reason in _GRANTED if facts.get(fact) is True]
    if facts.get("curated") is not True:
        found.append((_UNCURATED, "it is not in the built-in catalogue"))
        age, downloads, confidence = (facts.get(name) for name in ("age_days", "downloads", "confidence"))
        if isinstance(age, float) and age < YOUNG_DAYS:
            found.append((_YOUNG, f"this version is {age:.0f} days old"))
        if isinstance(downloads, float) and downloads < RARE_DOWNLOADS:
            found.append((_RARE, f"it is downloaded {downloads:.0f} times a month"))
        if isinstance(confidence, float) and confidence < _SURE:
            found.append((_UNSURE, "little is known about it"))
    trust = 1.0
    for weight, _ in found:
        trust *= 1.0 - weight
    found.sort(key=lambda pair: -pair[0])
    return Risk(score=round(1.0 - trust, 6), reasons=tuple(reason for _, reason in found))


def granted(facts: Facts) -> str:
    """Return the first thing that only a person at this machine may grant; empty where there is none."""
    return next((reason for fact, _, reason in _GRANTED if facts.get(fact) is True), "")
