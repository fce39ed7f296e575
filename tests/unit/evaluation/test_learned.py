"""What was seen in use moves the scores: in its own direction, the further the more of it there is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.evaluation.criterion import Circumstances
from vsm_mcp.evaluation.learned import Seen, often
from vsm_mcp.evaluation.wiring import build_criteria
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.experience import HALF_LIFE_SECONDS, Experience
from vsm_mcp.model.ref import parse_ref

CRITERIA = {criterion.name: criterion for criterion in build_criteria()}
DEMO = Candidate(ref=parse_ref("npm:demo@1.0.0"), name="demo", facts=PackageFacts(downloads=9_000, dependencies=9))
SHARE = st.floats(0, 1)
COUNT = st.floats(0, 1e6)
STRENGTH = st.floats(0.5, 50)
PRIORS = st.builds(Score, score=SHARE, confidence=SHARE)


def seen(*observations: tuple[float, float]) -> Seen:
    made = Seen()
    for count, value in observations:
        made.add(count, value)
    return made


def ask(name: str, **experience: float) -> Score:
    known = {"npm:demo": Experience(**experience)} if experience else {}
    return CRITERIA[name].score(DEMO, Circumstances(need="", now=0.0, experience=known))


@given(PRIORS, STRENGTH, COUNT, COUNT, SHARE)
def test_more_of_the_same_moves_the_score_towards_it_and_doubt_shrinks(
    prior: Score, strength: float, count: float, more: float, value: float
) -> None:
    few, many = seen((count, value)).onto(prior, strength), seen((count + more, value)).onto(prior, strength)
    assert abs(many.score - value) <= abs(few.score - value) + 1e-9
    assert (many.score - value) * (few.score - value) >= -1e-9, "it does not overshoot"
    assert many.confidence >= few.confidence - 1e-12 >= prior.confidence - 2e-12
    assert 0 <= many.score <= 1
    assert 0 <= many.confidence <= 1


@given(PRIORS, STRENGTH, COUNT, COUNT)
def test_one_success_more_never_lowers_and_one_failure_more_never_raises(
    prior: Score, strength: float, good: float, bad: float
) -> None:
    score = seen((good, 1.0), (bad, 0.0)).onto(prior, strength).score
    assert seen((good + 1, 1.0), (bad, 0.0)).onto(prior, strength).score >= score - 1e-12
    assert seen((good, 1.0), (bad + 1, 0.0)).onto(prior, strength).score <= score + 1e-12


@given(st.integers(0, 50), st.integers(0, 50), st.floats(0.05, 0.95), STRENGTH)
def test_it_is_the_mean_of_the_beta_binomial_posterior(good: int, bad: int, share: float, strength: float) -> None:
    alpha, beta = strength * share + good, strength * (1 - share) + bad
    score = seen((good, 1.0), (bad, 0.0)).onto(Score(score=share, confidence=0.5), strength).score
    assert math.isclose(score, alpha / (alpha + beta))


@pytest.mark.parametrize(
    ("criterion", "good", "bad"),
    [
        ("security", "cleared", "objected"),
        ("compatibility", "trials_passed", "trials_failed"),
        ("compatibility", "trials_passed", "rolled_back"),
        ("compatibility", "trials_passed", "reverted"),
        ("security", "approved", "denied"),
        ("performance", "", "garbled"),
        ("adoption", "admitted", "removed"),
        ("performance", "", "lost"),
        ("performance", "", "crashed"),
    ],
)
def test_what_was_seen_enters_its_criterion_and_is_said(criterion: str, good: str, bad: str) -> None:
    plain = ask(criterion)
    low, lower = ask(criterion, **{bad: 1.0}), ask(criterion, **{bad: 5.0})
    assert plain.score > low.score > lower.score
    assert plain.confidence < low.confidence < lower.confidence
    assert lower.facts[0].source == "experience"
    assert "5 times" in lower.facts[0].text
    if good:
        assert ask(criterion, **{bad: 1.0, good: 9.0}).score > low.score


def test_answers_are_worth_what_they_took() -> None:
    quick = ask("performance", answered=100, log_seconds=100 * math.log(0.02))
    slow = ask("performance", answered=100, log_seconds=100 * math.log(8.0))
    assert quick.score > 0.9
    assert slow.score < 0.4
    assert quick.facts[0].text == "answered 100 times here, typically in 20 ms"
    assert slow.facts[0].text == "answered 100 times here, typically in 8.0 s"
    assert quick.confidence > 0.8
    assert "not measured yet" not in [fact.text for fact in quick.facts]


def test_what_was_seen_of_others_and_under_another_version_counts_as_it_should() -> None:
    other = {"npm:other": Experience(lost=100)}
    circumstances = Circumstances(need="", now=0.0, experience=other)
    assert CRITERIA["performance"].score(DEMO, circumstances) == ask("performance")
    newer = Candidate(ref=parse_ref("npm:demo@2.0.0"), name="demo", facts=DEMO.facts)
    lost = Circumstances(need="", now=0.0, experience={"npm:demo": Experience(lost=100)})
    assert CRITERIA["performance"].score(newer, lost).score < ask("performance").score


@given(COUNT, COUNT, st.floats(0, 1e9))
def test_what_was_seen_fades_and_adds_up(first: float, second: float, seconds: float) -> None:
    one, other = Experience(answered=first), Experience(answered=second, lost=1)
    assert one + other == other + one == Experience(answered=first + second, lost=1)
    assert math.isclose(one.faded(seconds).answered, first * 0.5 ** (seconds / HALF_LIFE_SECONDS))
    assert one.faded(-5) == one


def test_a_few_slow_answers_hardly_move_what_is_typical() -> None:
    took = [0.05] * 98 + [30.0] * 2
    typical = Experience(answered=100, log_seconds=sum(map(math.log, took))).typical_seconds
    assert typical is not None
    assert 0.05 < typical < 0.06
    assert Experience().typical_seconds is None


def test_what_happened_is_never_said_to_have_happened_no_times() -> None:
    assert [often(count) for count in (0.01, 1.0, 1.6, 1234.0)] == ["once", "once", "2 times", "1,234 times"]


def test_failures_are_said_by_class_and_errors_in_answers_are_worth_less() -> None:
    clean = ask("performance", answered=100, log_seconds=100 * math.log(0.02))
    errors = ask("performance", answered=100, log_seconds=100 * math.log(0.02), tool_errors=40)
    refused = ask("performance", answered=100, log_seconds=100 * math.log(0.02), refused=40)
    assert clean.score > errors.score > refused.score > 0.5
    assert errors.facts[0].text.endswith("typically in 20 ms (40 errors of the tool)")
    lost = ask("performance", lost=7, timed_out=5, broken=2)
    assert lost.facts[0].text == "gave no answer 7 times here (5 not in time, 2 broken off)"
