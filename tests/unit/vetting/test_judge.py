"""The judgement: the worst finding decides, and no answer is no pass."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import ConfigError
from vsm_mcp.model.finding import CheckResult, CheckStatus, Finding, Judgement, Severity
from vsm_mcp.vetting.check import Rule, unavailable
from vsm_mcp.vetting.judge import PROFILES, judge

ORDER = [Judgement.ADMIT, Judgement.QUARANTINE, Judgement.REJECT]


def check(status: CheckStatus, *severities: Severity) -> CheckResult:
    findings = tuple(Finding(rule=f"r.{each}", where="w", severity=each, text="t") for each in severities)
    return CheckResult(check="c", status=status, looked_at=1, unit="u", findings=findings)


PASSED = check(CheckStatus.PASS)
NOTED = check(CheckStatus.PASS, Severity.NOTE)
REVIEWED = check(CheckStatus.FAIL, Severity.REVIEW)
BLOCKED = check(CheckStatus.FAIL, Severity.REVIEW, Severity.BLOCK)
UNAVAILABLE = check(CheckStatus.UNAVAILABLE)


@pytest.mark.parametrize(
    ("results", "strict", "standard", "lax"),
    [
        ([PASSED], "admit", "admit", "admit"),
        ([PASSED, NOTED], "admit", "admit", "admit"),
        ([PASSED, REVIEWED], "quarantine", "quarantine", "admit"),
        ([BLOCKED, PASSED], "reject", "reject", "reject"),
        ([UNAVAILABLE, PASSED], "reject", "quarantine", "admit"),
        ([], "reject", "quarantine", "admit"),
        ([check(CheckStatus.FAIL)], "quarantine", "quarantine", "admit"),
    ],
)
def test_by_profile(results: list[CheckResult], strict: str, standard: str, lax: str) -> None:
    assert judge(results, "strict").judgement == strict
    assert judge(results, "standard").judgement == standard
    assert judge(results, "lax").judgement == lax


def test_what_is_recorded_names_the_rule_and_the_place_worst_first() -> None:
    report = judge([REVIEWED, BLOCKED], "standard")
    assert report.reasons[0] == "r.block (block) in w: t"
    assert len(report.reasons) == 3
    assert report.checks == (REVIEWED, BLOCKED)


def test_what_lax_lets_pass_it_still_says() -> None:
    assert judge([UNAVAILABLE], "lax").reasons == ("c: could not look (no reason)",)


def test_an_unknown_profile_is_an_error_with_a_hint() -> None:
    with pytest.raises(ConfigError, match="nonsense") as caught:
        judge([PASSED], "nonsense")
    assert "standard" in caught.value.hint


RESULTS = st.lists(st.sampled_from([PASSED, NOTED, REVIEWED, BLOCKED, UNAVAILABLE]), min_size=1, max_size=6)


@given(RESULTS, st.sampled_from([PASSED, NOTED, REVIEWED, BLOCKED, UNAVAILABLE]))
def test_one_more_result_never_makes_it_better(results: list[CheckResult], more: CheckResult) -> None:
    for profile in PROFILES:
        before, after = judge(results, profile).judgement, judge([*results, more], profile).judgement
        assert ORDER.index(after) >= ORDER.index(before)


@given(RESULTS)
def test_order_does_not_matter_and_stricter_profiles_are_stricter(results: list[CheckResult]) -> None:
    got = [ORDER.index(judge(results, profile).judgement) for profile in PROFILES]
    assert got == sorted(got, reverse=True)
    for other in itertools.islice(itertools.permutations(results), 6):
        assert judge(other, "standard").judgement == judge(results, "standard").judgement


@pytest.mark.parametrize(
    ("profile", "judgement"), [("strict", Judgement.REJECT), ("standard", Judgement.ADMIT), ("lax", Judgement.ADMIT)]
)
def test_silence_of_whom_nobody_set_up_holds_back_under_strict_alone(profile: str, judgement: Judgement) -> None:
    report = judge([unavailable("advisories", "packages", "nobody answers", needed=False)], profile)
    assert report.judgement is judgement
    assert report.reasons == ("advisories: could not look (nobody answers)",)


def test_what_a_check_found_counts_although_it_could_not_look_everywhere() -> None:
    found = Rule("x.block", Severity.BLOCK, "m").found("w", "t")
    report = judge([unavailable("x", "items", "half of it", needed=False, findings=[found])], "standard")
    assert report.judgement is Judgement.REJECT
