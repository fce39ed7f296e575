"""Each remedy on its own, and what all of them have to keep: the contract of the plug-in point."""

from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp import plugins
from vsm_mcp.errors import ServerDown
from vsm_mcp.health.check import Condition
from vsm_mcp.health.ladder import Case
from vsm_mcp.health.remedy import Patient, Remedy
from vsm_mcp.health.wiring import build, fitted, pace_of
from vsm_mcp.model.action import ActionKind
from vsm_mcp.model.health_settings import REMEDIES, HealthSettings
from vsm_mcp.policy.decide import _SUPERVISION
from vsm_mcp.runtime.unit import Before, nothing

LOCAL = Patient(name="x", running=True, installed=True)
KINDS = {
    "local": LOCAL,
    "program": Patient(name="x", running=True),
    "down": Patient(name="x", installed=True),
    "personal": Patient(name="x", installed=True, personal=True),
    "remote": Patient(name="x", remote=True, running=True),
    "login": Patient(name="x", remote=True, personal=True),
}


class Ward:
    """Writes down what is done; ``obeys`` says whether a process ends when it is asked to."""

    def __init__(self, obeys: bool = True) -> None:
        self.done: list[str] = []
        self.obeys = obeys

    async def change_over(
        self, _name: str, _reason: str, before: Before = nothing, patience: float | None = None
    ) -> None:
        class Process:
            async def ask(_self) -> bool:  # noqa: N805 - the ward is meant by self
                self.done.append("ask")
                return self.obeys

            async def kill(_self) -> None:  # noqa: N805
                self.done.append("kill")

        process: Any = Process()
        await before(process)
        self.done.append(f"start after {patience}")

    async def reinstall(self, _name: str) -> str:
        self.done.append("reinstall")
        return "1.0 was installed again"

    async def replace(self, _name: str) -> tuple[str, ...]:
        self.done.append("replace")
        return ("other",)


def remedies() -> dict[str, Remedy]:
    parts, faults = build("remedies", HealthSettings().remedies)
    assert faults == ()
    return parts


@pytest.mark.parametrize("name", plugins.names("remedies"))
async def test_contract(name: str) -> None:
    remedy = remedies()[name]
    assert remedy.kind in _SUPERVISION  # or nobody would let it happen by itself
    assert remedy.tries >= 1
    assert any(remedy.applies(patient) for patient in KINDS.values())
    ward = Ward()
    done = await remedy.apply(LOCAL, ward)
    assert done.detail
    assert ward.done
    assert bool(done.stands_in) != done.renews


def test_the_built_in_ones_are_those_of_the_settings() -> None:
    assert set(plugins.names("remedies")) == set(REMEDIES) == set(HealthSettings().remedies)


@pytest.mark.parametrize(
    ("kind", "rungs", "knock"),
    [
        ("local", "soft_restart hard_restart full_recovery replace", "hard_restart"),
        ("program", "soft_restart hard_restart replace", "hard_restart"),
        ("down", "full_recovery replace", "hard_restart"),
        ("personal", "replace", ""),
        ("remote", "reconnect replace", "reconnect"),
        ("login", "replace", ""),
    ],
)
def test_which_apply(kind: str, rungs: str, knock: str) -> None:
    case = fitted(Case(condition=Condition.FAILING), KINDS[kind], remedies())
    assert " ".join(rung.remedy for rung in case.rungs) == rungs
    assert case.knock == knock
    assert case.gentle == ("soft_restart" if "soft" in rungs else "")


async def test_what_they_do() -> None:
    found = remedies()
    for name, expected in {
        "reconnect": ["start after 0.0"],
        "soft_restart": ["ask", "start after None"],
        "hard_restart": ["kill", "start after 0.0"],
        "full_recovery": ["reinstall"],
        "replace": ["replace"],
    }.items():
        ward = Ward()
        await found[name].apply(LOCAL, ward)
        assert ward.done == expected


async def test_what_does_not_end_when_it_is_asked_to_is_left() -> None:
    ward = Ward(obeys=False)
    with pytest.raises(ServerDown, match="does not end"):
        await remedies()["soft_restart"].apply(LOCAL, ward)
    assert ward.done == ["ask"]


def test_only_the_full_recovery_installs() -> None:
    kinds = {name: each.kind for name, each in remedies().items()}
    assert kinds["full_recovery"] is ActionKind.REINSTALL
    assert kinds["replace"] is ActionKind.REPLACE


def test_the_longest_pause_is_no_shorter_than_the_first() -> None:
    pace = pace_of(HealthSettings(backoff_seconds=5, longest_backoff_seconds=1))
    assert (pace.backoff, pace.longest) == (5, 5)
