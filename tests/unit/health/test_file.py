"""The file of one server: what is told of what it sees, and when it counts again."""

from __future__ import annotations

from vsm_mcp.health.check import Condition, Reading
from vsm_mcp.health.diagnose import Chart
from vsm_mcp.health.file import File, weight
from vsm_mcp.health.ladder import ESCALATE, Case, Climb, Pace, Rung, Try
from vsm_mcp.health.remedy import Done
from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.health_settings import HealthSettings

SETTINGS = HealthSettings()


def filled(share: float) -> dict[str, Reading]:
    status = CheckStatus.FAIL if share > 0.9 else CheckStatus.PASS
    return {"resources": Reading(status=status, value=share, unit="share", limit=0.9, basis="memory", ageing=True)}


def leaking(file: File, hours: float, until: float = 0.9) -> float:
    """Have a leak seen that fills the memory in so many hours; return the share at which it was told, or ``until``."""
    at, share = 1e9, 0.2
    while share < until:
        at, share = at + 30.0, share + 0.7 * 30.0 / (hours * 3600)
        if file.look(filled(share), at, SETTINGS).condition is not Condition.HEALTHY:
            return share
    return until


def test_a_slow_leak_is_told_long_before_the_limit() -> None:
    file = File()
    assert leaking(file, 2.0) < 0.7
    assert "growing: it reaches its limit in about" in file.chart.reason
    assert weight(file.chart, file.climb, 0.5) == 0.5


def test_a_leak_that_is_nearly_full_is_mended_gently() -> None:
    file = File()
    share = leaking(file, 2.0)
    at = 2e9
    case = Case(condition=Condition.HEALTHY, rungs=(Rung("soft_restart"),), gentle="soft_restart")
    step = file.step(case, at, Pace())
    while not isinstance(step, Try):
        at, share = at + 30.0, share + 0.7 * 30.0 / 7200
        file.look(filled(share), at, SETTINGS)
        step = file.step(case, at, Pace())
    assert step == Try("soft_restart")
    assert share < 0.9
    file.try_("soft_restart", at)
    file.done(Done("restarted"), at)
    assert file.chart.condition is Condition.HEALTHY
    assert not file.trends


def test_a_crash_makes_no_trend_of_two_processes() -> None:
    file = File()
    for number in range(95):
        file.look(filled(0.2 + 0.003 * (number % 40)), 30.0 * number, SETTINGS)
        if number % 40 == 39:
            file.restarted()
    assert file.chart.condition is Condition.HEALTHY


def test_who_does_not_count() -> None:
    failing = Chart(condition=Condition.FAILING)
    assert weight(Chart(), Climb(), 0.5) == 1.0
    assert weight(failing, Climb(), 0.5) == 0.1
    assert weight(failing, Climb(stands_in=("other",)), 0.5) == 0.0


def test_what_was_tried_is_kept_until_it_is_forgotten() -> None:
    file = File(Climb())
    file.given_up("it crashed", 1.0)
    file.try_("full_recovery", 2.0)
    file.failed("no registry answers", 5.0)
    file.try_("replace", 6.0)
    file.done(Done("replaced", renews=False, stands_in=("other",)), 7.0)
    file.try_(ESCALATE, 8.0)
    assert [(each.remedy, each.outcome) for each in file.climb.attempts] == [
        ("full_recovery", "failed"), ("replace", "done"), (ESCALATE, "tried"),
    ]  # fmt: skip
    assert file.climb.stands_in == ("other",)
    file.afresh()
    assert (file.climb, file.chart.condition) == (Climb(), Condition.HEALTHY)
