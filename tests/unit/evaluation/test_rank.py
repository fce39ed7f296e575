from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.evaluation.criterion import UNKNOWN, Circumstances
from vsm_mcp.evaluation.rank import order, rank, total
from vsm_mcp.evaluation.weights import WEIGHTS, weights_of
from vsm_mcp.evaluation.wiring import build_criteria
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.launch import LaunchFacts
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.model.wants import Priority

HERE = Circumstances(need="", now=1_795_000_000.0, pythons=("3.11.2",), node="20.19.0")
CRITERIA = build_criteria()
SHARE = st.floats(0, 1)
SCORES = st.fixed_dictionaries({name: st.builds(Score, score=SHARE, confidence=SHARE) for name in WEIGHTS})
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        ref=st.builds(Ref, st.sampled_from([RefKind.NPM, RefKind.PYPI]), st.from_regex(r"[a-d]{1,3}", fullmatch=True)),
        name=st.just("x"),
        relevance=st.sampled_from([0.0, 0.6, 0.8, 1.0]),
        curated=st.booleans(),
        launch=st.sampled_from([None, LaunchFacts(network=False)]),
        facts=st.builds(
            PackageFacts, downloads=st.sampled_from([None, 10, 100_000]), licence=st.sampled_from([None, "MIT"])
        ),
    ),
    max_size=6,
    unique_by=lambda each: each.ref,
)


def well_known(**fields: object) -> Candidate:
    kept: dict[str, object] = {
        "ref": Ref(RefKind.NPM, "known"),
        "name": "known",
        "relevance": 0.9,
        "curated": True,
        "launch": LaunchFacts(network=False),
    }
    kept["facts"] = PackageFacts(version="2.0.0", downloads=300_000, licence="MIT", published="2026-10-01")
    return Candidate(**{**kept, **fields})  # type: ignore[arg-type]


WEIGHINGS = st.builds(
    weights_of,
    st.sampled_from(list(Priority)),
    st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.floats(0, 1000), max_size=7),
    st.just(sorted(WEIGHTS)),
)


@given(SCORES, WEIGHINGS, st.sampled_from(sorted(WEIGHTS)), SHARE)
def test_a_better_score_of_one_criterion_never_lowers_the_total(
    scores: dict[str, Score], weights: dict[str, float], name: str, other: float
) -> None:
    raised = {**scores, name: msgspec.structs.replace(scores[name], score=max(scores[name].score, other))}
    assert total(raised, weights)[0] >= total(scores, weights)[0]


@given(SCORES, WEIGHINGS, st.sampled_from(sorted(set(WEIGHTS) - {"capability", "compatibility"})))
def test_what_is_not_known_raises_no_score_and_no_confidence(
    scores: dict[str, Score], weights: dict[str, float], name: str
) -> None:
    rest = {each: score for each, score in scores.items() if each != name}
    unknown = {**rest, name: UNKNOWN}
    assert total(unknown, weights)[0] == total(rest, weights)[0], "it is as if nobody had asked"
    assert total(unknown, weights)[1] <= total(rest, weights)[1]
    assert total(unknown, weights)[1] <= total(scores, weights)[1]
    best = {**scores, name: msgspec.structs.replace(scores[name], score=1.0)}
    worst = {**scores, name: msgspec.structs.replace(scores[name], score=0.0)}
    assert total(worst, weights)[0] <= total(unknown, weights)[0] <= total(best, weights)[0]


@given(SCORES)
def test_totals_and_confidences_are_shares(scores: dict[str, Score]) -> None:
    score, confidence = total(scores, WEIGHTS)
    assert 0.0 <= score <= 1.0
    assert 0.0 <= confidence <= 1.0


@given(CANDIDATES, st.randoms(use_true_random=False))
def test_the_order_is_total_and_does_not_depend_on_how_candidates_came(
    candidates: list[Candidate], random: object
) -> None:
    ranked = rank(candidates, CRITERIA, HERE)
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(shuffled, CRITERIA, HERE) == ranked
    keys = [order(each) for each in ranked]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert {each.candidate.ref for each in ranked} == {each.ref for each in candidates}


@given(CANDIDATES, CANDIDATES)
def test_the_order_of_two_does_not_depend_on_third_ones(some: list[Candidate], others: list[Candidate]) -> None:
    alone = [each.candidate for each in rank(some, CRITERIA, HERE)]
    known = {each.ref for each in some}
    together = rank([*some, *(each for each in others if each.ref not in known)], CRITERIA, HERE)
    assert [each.candidate for each in together if each.candidate.ref in known] == alone


def test_what_does_not_fit_is_worth_less_than_what_does_however_well_kept() -> None:
    unknown = Candidate(ref=Ref(RefKind.NPM, "fits"), name="fits", relevance=0.9)
    first, second = rank([well_known(relevance=0.3), unknown], CRITERIA, HERE)
    assert (first.candidate.name, second.candidate.name) == ("fits", "known")


def test_of_two_that_fit_the_well_known_one_comes_first() -> None:
    unknown = Candidate(ref=Ref(RefKind.NPM, "a-fits"), name="fits", relevance=1.0)
    assert rank([unknown, well_known()], CRITERIA, HERE)[0].candidate.name == "known"


def test_what_cannot_run_here_comes_after_what_can() -> None:
    newer = well_known(facts=PackageFacts(downloads=900_000, requires_node=">=99"))
    plain = Candidate(ref=Ref(RefKind.NPM, "plain"), name="plain", relevance=0.8)
    assert [each.candidate.name for each in rank([newer, plain], CRITERIA, HERE)] == ["plain", "known"]


def test_reasons_are_in_plain_words() -> None:
    (appraisal,) = rank([well_known()], CRITERIA, HERE)
    assert "curated in the built-in catalogue" in appraisal.reasons
    assert "300,000 downloads a month" in appraisal.reasons
    assert "works without the network" in appraisal.reasons
    assert rank([well_known(installed=True)], CRITERIA, HERE)[0].reasons[0] == "installed already"


def test_a_criterion_that_fails_or_lies_knows_nothing() -> None:
    class Failing:
        name = "failing"

        def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
            raise ZeroDivisionError

    class Lying:
        name = "lying"

        def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
            return Score(score=1e9, confidence=float("nan"))

    plain, odd = rank([well_known()], CRITERIA, HERE), rank([well_known()], [*CRITERIA, Failing(), Lying()], HERE)
    assert odd[0].score == plain[0].score
    assert odd[0].criteria["failing"].confidence == odd[0].criteria["lying"].confidence == 0.0


def test_own_weights_count() -> None:
    popular = well_known(ref=Ref(RefKind.NPM, "popular"), curated=False, launch=None)
    quiet = well_known(facts=PackageFacts(downloads=700))
    by_use = rank([popular, quiet], CRITERIA, HERE, {**dict.fromkeys(WEIGHTS, 0.0), "adoption": 1.0})
    by_trust = rank([popular, quiet], CRITERIA, HERE, {**dict.fromkeys(WEIGHTS, 0.0), "security": 1.0})
    assert by_use[0].candidate is popular
    assert by_trust[0].candidate is quiet


def test_no_candidates_are_no_appraisals() -> None:
    assert rank([], CRITERIA, HERE) == []
