"""What follows from what was seen: pure, so each kind of reason is tried by itself."""

from __future__ import annotations

import pytest

from vsm_mcp.model.definition import Offer
from vsm_mcp.model.finding import CheckResult, CheckStatus, Finding, Judgement, Severity, VetReport
from vsm_mcp.model.trial import Cause, Compliance, Figures, Recommendation, TrialReport
from vsm_mcp.vetting.trials.advice import advise

GOOD = VetReport(judgement=Judgement.ADMIT, checks=())


def report(*, passed: bool = True, watch: CheckResult | None = None, conduct: CheckResult | None = None) -> TrialReport:
    cause = None if passed else Cause(code="crashed", message="it ended with code 1")
    return TrialReport(
        passed=passed, era="modern", protocol="2026-07-28", tier="full", transport="stdio", start_seconds=0.1,
        probes=(), offer=Offer(), cause=cause, watch=watch, conduct=conduct,
    )  # fmt: skip


def found(severity: Severity, status: CheckStatus = CheckStatus.FAIL) -> CheckResult:
    finding = Finding(rule="watch.odd", where="~/.ssh", severity=severity, text="it was opened")
    return CheckResult(check="watch", status=status, looked_at=3, unit="system calls", findings=(finding,))


def row(severity: Severity, status: CheckStatus) -> Compliance:
    return Compliance(
        check="ids", era="legacy", status=status, severity=severity, meaning="m", source="s", detail="seven twice"
    )


def test_nothing_against_it_is_admit_with_what_speaks_for_it() -> None:
    watch = CheckResult(check="watch", status=CheckStatus.PASS, looked_at=40, unit="system calls")
    advice = advise(GOOD, report(watch=watch), [row(Severity.REVIEW, CheckStatus.PASS)])
    assert advice.recommendation is Recommendation.ADMIT
    assert any("1 of 1 rules" in reason for reason in advice.reasons)
    assert any("40 system calls" in reason for reason in advice.reasons)


def test_a_note_and_what_could_not_be_seen_of_the_protocol_do_not_count() -> None:
    rows = [row(Severity.NOTE, CheckStatus.FAIL), row(Severity.REVIEW, CheckStatus.UNAVAILABLE)]
    assert advise(GOOD, report(watch=found(Severity.NOTE, CheckStatus.PASS)), rows).recommendation == "admit"


@pytest.mark.parametrize(
    ("vetting", "tried", "rows", "figures", "said"),
    [
        (VetReport(judgement=Judgement.QUARANTINE, checks=(), reasons=("odd text",)), report(), [], None, "odd text"),
        (GOOD, report(watch=found(Severity.REVIEW)), [], None, "~/.ssh"),
        (GOOD, report(conduct=found(Severity.REVIEW)), [], None, "watch.odd"),
        (GOOD, report(), [row(Severity.REVIEW, CheckStatus.FAIL)], None, "seven twice"),
        (GOOD, report(), [], Figures(start_seconds=(12.0, 11.0)), "11 s to start"),
        (GOOD, report(), [], Figures(peak_memory=2 << 30), "2048 MB"),
        (GOOD, report(), [], Figures(latency_ms=900.0), "900 ms"),
    ],
)
def test_what_wants_a_look_is_admitted_with_care(
    vetting: VetReport, tried: TrialReport, rows: list[Compliance], figures: Figures | None, said: str
) -> None:
    advice = advise(vetting, tried, rows, None, figures)
    assert advice.recommendation is Recommendation.CARE
    assert said in advice.reasons[0]


def test_that_nobody_could_watch_is_never_a_pass() -> None:
    unseen = CheckResult(check="watch", status=CheckStatus.UNAVAILABLE, looked_at=0, unit="", detail="no strace")
    for advice in (advise(GOOD, report(watch=unseen)), advise(GOOD, report(), [], unseen)):
        assert advice.recommendation is Recommendation.CARE
        assert "no strace" in advice.reasons[0]


def test_checks_that_could_not_look_are_named_and_not_counted() -> None:
    seen = CheckResult(check="archive", status=CheckStatus.PASS, looked_at=1, unit="")
    silent = CheckResult(check="advisories", status=CheckStatus.UNAVAILABLE, looked_at=0, unit="")
    advice = advise(VetReport(judgement=Judgement.ADMIT, checks=(seen, silent)), report())
    assert advice.reasons[0] == "vetting has nothing against it (1 check; advisories could not look)"


def test_what_is_blocked_or_cannot_be_served_is_rejected() -> None:
    blocked = VetReport(judgement=Judgement.REJECT, checks=(), reasons=("install_script.net",))
    assert advise(blocked, None).reasons == ("vetting: install_script.net",)
    assert advise(GOOD, report(passed=False)).reasons == ("it cannot be served: it ended with code 1",)
    for advice in (
        advise(blocked, None),
        advise(GOOD, report(passed=False)),
        advise(GOOD, report(watch=found(Severity.BLOCK))),
        advise(GOOD, report(), [], found(Severity.BLOCK)),
    ):
        assert advice.recommendation is Recommendation.REJECT
