"""Checks and remedies put together from their entry points: only those that the settings name are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vsm_mcp import plugins
from vsm_mcp.errors import ConfigError
from vsm_mcp.health.ladder import Case, Pace, Rung
from vsm_mcp.health.remedy import Patient, Remedy
from vsm_mcp.model.health_settings import HealthSettings


def build(point: str, wanted: Iterable[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parts of a plug-in point by name, in their order, and a sentence for each that cannot be loaded.

    A name that is wrong costs that one part: the others are needed none the less.
    """
    parts: dict[str, Any] = {}
    faults = []
    for name in wanted:
        try:
            parts |= {each: make() for each, make in plugins.load(point, (name,)).items()}
        except ConfigError as error:
            faults.append(f"{error.message} ({error.hint})")
    return parts, tuple(faults)


def pace_of(settings: HealthSettings) -> Pace:
    """Return how patient the ladder is under some settings."""
    return Pace(
        backoff=settings.backoff_seconds,
        longest=max(settings.longest_backoff_seconds, settings.backoff_seconds),
        lasting=settings.lasting_seconds,
        knock=settings.knock_seconds,
    )


def fitted(case: Case, patient: Patient, remedies: Mapping[str, Remedy]) -> Case:
    """Return a case with the remedies that apply to a server; one that runs no more is knocked at by starting it."""
    fitting = {name: each for name, each in remedies.items() if each.applies(patient)}
    knock = "reconnect" if patient.remote else "hard_restart"
    return Case(
        condition=case.condition,
        mending=case.mending,
        urgent=case.urgent,
        rungs=tuple(Rung(name, each.tries) for name, each in fitting.items()),
        gentle=next((name for name, each in fitting.items() if each.gentle), ""),
        knock=knock if knock in remedies and not patient.personal else "",
    )
