from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.evaluation.compatibility import python_fits
from vsm_mcp.evaluation.criterion import Circumstances
from vsm_mcp.evaluation.lettering import disguised
from vsm_mcp.evaluation.maintenance import age_in_months
from vsm_mcp.evaluation.weights import WEIGHTS
from vsm_mcp.evaluation.wiring import build_criteria
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts
from vsm_mcp.model.node_range import node_fits
from vsm_mcp.model.ref import Ref, RefKind

NOW = 1_795_000_000.0  # November 2026
CRITERIA = {criterion.name: criterion for criterion in build_criteria()}
KEY = Input(kind=InputKind.SECRET, name="API_KEY", required=True)
PATH = Input(kind=InputKind.ARG, name="directory", required=True, positional=True)


def ask(criterion: str, *, here: dict[str, Any] | None = None, kind: RefKind = RefKind.NPM, **fields: Any) -> Score:
    candidate = Candidate(ref=Ref(kind, "x"), name="x", **fields)
    circumstances = Circumstances(need="", now=NOW, **{"pythons": ("3.11.2",), "node": "20.19.0", **(here or {})})
    return CRITERIA[criterion].score(candidate, circumstances)


def words(score: Score) -> tuple[str, ...]:
    return tuple(fact.text for fact in score.facts)


def facts(criterion: str, **given_facts: Any) -> Score:
    return ask(criterion, facts=PackageFacts(**given_facts))


def test_every_criterion_of_the_weights_is_registered_and_they_add_up_to_one() -> None:
    assert set(CRITERIA) == set(WEIGHTS)
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", [name for name in CRITERIA if name not in ("capability", "performance", "security")])
def test_nothing_known_is_said_to_be_nothing(name: str) -> None:
    score = ask(name, kind=RefKind.DIR)
    assert (score.score, score.confidence) == (0.5, 0.0)


@given(
    st.sampled_from(sorted(CRITERIA)),
    st.builds(
        PackageFacts,
        version=st.text(max_size=5),
        licence=st.none() | st.text(max_size=20),
        published=st.none() | st.text(max_size=12) | st.sampled_from(["2026-01", "2026-01-02", "2026-01-02T00:00:00Z"]),
        downloads=st.none() | st.integers(0, 10**12),
        download_rank=st.none() | st.integers(0, 10**6),
        requires_python=st.none() | st.text(max_size=8),
        requires_node=st.none() | st.text(max_size=8),
        dependencies=st.none() | st.integers(0, 10**6),
        maintainers=st.none() | st.integers(0, 10**6),
        deprecated=st.none() | st.booleans(),
        readme_length=st.none() | st.integers(0, 10**9),
    ),
    st.sampled_from(list(RefKind)),
    st.floats(0, 1),
)
def test_whatever_the_facts_scores_are_shares(
    name: str, given_facts: PackageFacts, kind: RefKind, relevance: float
) -> None:
    score = ask(name, kind=kind, facts=given_facts, relevance=relevance)
    assert 0.0 <= score.score <= 1.0
    assert 0.0 <= score.confidence <= 1.0


def test_capability_is_the_relevance_and_surer_where_we_described_it() -> None:
    assert ask("capability", relevance=0.4).score < ask("capability", relevance=0.7).score
    assert ask("capability", relevance=0.95, nearest=("crop", 1.0)).score == 1.0
    assert (
        ask("capability", curated=True).confidence
        > ask("capability", text="x").confidence
        > ask("capability").confidence
    )


def test_of_two_of_the_right_kind_the_one_with_a_tool_that_does_it_is_more_capable() -> None:
    does, unknown, does_not = (
        ask("capability", relevance=0.9, nearest=nearest) for nearest in (("crop", 0.9), None, ("zoom", 0.1))
    )
    assert does.score > unknown.score > does_not.score
    assert "its tool crop comes nearest (90 %)" in [fact.text for fact in does.facts]


def test_capability_says_which_one_is_called_for() -> None:
    called = [fact.text for fact in ask("capability", answers=("calendar", "office.tasks")).facts]
    assert "has what is called for: calendar, office.tasks" in called
    assert not any("called for" in fact.text for fact in ask("capability").facts)


def test_adoption_says_what_it_counts() -> None:
    counted = facts("adoption", downloads=120_000)
    assert words(counted) == ("120,000 downloads a month",)
    assert counted.score > facts("adoption", downloads=3_000).score
    starred = facts("adoption", stars=12_000)
    assert words(starred) == ("12,000 stars of its repository",)
    assert 1.0 > starred.score > facts("adoption", stars=3).score >= facts("adoption", stars=0).score == 0.0
    assert facts("adoption", stars=10**9).score == 1.0
    assert starred.confidence < counted.confidence
    ranked = facts("adoption", download_rank=900)
    assert "900" in words(ranked)[0]
    assert ranked.score > facts("adoption", download_rank=14_000).score > facts("adoption", download_rank=0).score


def test_security_trusts_what_is_curated_and_little_code() -> None:
    curated = ask("security", curated=True)
    assert "curated in the built-in catalogue" in words(curated)
    assert curated.score > 0.9
    assert facts("security", dependencies=2).score > facts("security", dependencies=35).score
    assert ask("security", kind=RefKind.REMOTE).score < 0.5


def test_maintenance_counts_the_age_and_a_deprecation_is_the_end() -> None:
    fresh, old = facts("maintenance", published="2026-10-20"), facts("maintenance", published="2023-01")
    assert fresh.score > 0.9
    assert old.score < 0.3
    assert words(fresh) == ("released 1 month ago",)
    dead = facts("maintenance", published="2026-10-20", deprecated=True)
    assert (dead.score, words(dead)) == (0.0, ("deprecated by its author",))


@pytest.mark.parametrize("text", ["", None, "yesterday", "2026-13", "2026-02-31T00:00:00Z"])
def test_a_date_that_cannot_be_read_is_no_date(text: str | None) -> None:
    assert age_in_months(text, NOW) is None


def test_a_date_in_the_future_is_today() -> None:
    assert age_in_months("2999-01", NOW) == 0.0


def test_compatibility_names_the_key_and_knows_the_ones_at_hand() -> None:
    needs = LaunchFacts(inputs=(KEY,), network=True)
    lacking = ask("compatibility", launch=needs)
    assert "needs a key: API_KEY" in words(lacking)
    assert "needs the network" in words(lacking)
    assert ask("compatibility", launch=needs, here={"secrets": frozenset({"API_KEY"})}).score > lacking.score
    path = ask("compatibility", launch=LaunchFacts(inputs=(PATH,), network=False))
    assert "needs a value: directory" in words(path)
    assert ask("compatibility", launch=LaunchFacts(network=False)).score == 1.0 > path.score > lacking.score
    offline = ask("compatibility", launch=needs, here={"network": False})
    assert offline.score < lacking.score


@pytest.mark.parametrize(
    ("kind", "wanted", "here", "said"),
    [
        (RefKind.PYPI, {"requires_python": ">=3.13"}, {}, "needs python >=3.13, here is 3.11.2"),
        (RefKind.NPM, {"requires_node": ">=22"}, {}, "needs node >=22, here is 20.19.0"),
        (RefKind.NPM, {}, {"node": ""}, "needs node, which is not here"),
        (RefKind.OCI, {}, {}, "needs a container runtime, which is not here"),
    ],
)
def test_what_cannot_run_here_is_worth_nothing(
    kind: RefKind, wanted: dict[str, Any], here: dict[str, str], said: str
) -> None:
    score = ask("compatibility", kind=kind, facts=PackageFacts(**wanted), here=here)
    assert (score.score, score.confidence, words(score)) == (0.0, 1.0, (said,))


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (">=18", True), (">=18.0.0", True), (">=20.20", False), ("^20", True), ("^20.18.1", True), ("^18", False),
        ("^18 || ^20", True), (">=18 <20", False), (">= 18.x", True), ("20.x", True), ("18.x || 22.x", False),
        ("*", True), ("", True), ("~20.19", True), ("~20.18.0", False),
        ("18 - 20", True), ("18 - 19", False), (">20", False),
        (">20.18", True), ("<=20", True), ("<20", False), ("=20.19.0", True), ("lts", None), ("v20", True),
        (">=18 || lts", True), ("lts || 18", None),
    ],
)  # fmt: skip
def test_ranges_of_node(wanted: str, fits: bool | None) -> None:
    assert node_fits("v20.19.0", wanted) is fits


@pytest.mark.parametrize(
    ("wanted", "fits"), [(">=3.10", True), (">=3.12", False), (">=3.10,<3.11", False), ("~=3.11", True), ("3", None)]
)
def test_ranges_of_python(wanted: str, fits: bool | None) -> None:
    assert python_fits("3.11.2", wanted) is fits


@pytest.mark.parametrize(
    ("better", "worse"),
    [("MIT", "GPL-3.0"), ("GPL-3.0", "AGPL-3.0"), ("Apache-2.0", "LGPL-2.1"), ("AGPL-3.0", "BUSL-1.1")],
)
def test_licences_in_order(better: str, worse: str) -> None:
    assert facts("licence", licence=better).score > facts("licence", licence=worse).score


def test_unlicensed_and_the_unlicense_are_opposites() -> None:
    assert facts("licence", licence="Unlicense").score == 1.0
    assert facts("licence", licence="UNLICENSED").score < 0.5


def test_documentation_counts_the_readme() -> None:
    assert facts("documentation", readme_length=9000).score > facts("documentation", readme_length=100).score
    assert "no read-me" in words(facts("documentation", readme_length=0))


def test_performance_says_that_it_is_a_guess() -> None:
    score = ask("performance", launch=LaunchFacts(network=False), facts=PackageFacts(dependencies=1))
    assert score.confidence < 0.5
    assert "not measured yet" in words(score)


def test_another_python_of_this_machine_will_do() -> None:
    newer = PackageFacts(requires_python=">=3.13")
    score = ask("compatibility", kind=RefKind.PYPI, facts=newer, here={"pythons": ("3.11.2", "3.13")})
    assert score.score == 1.0
    assert words(score) == ("needs python >=3.13, here is 3.13",)
    assert ask("compatibility", kind=RefKind.PYPI, here={"pythons": ()}).score == 0.0


@pytest.mark.parametrize(
    ("wanted", "fits"), [(">=3.13", True), (">=3.13.4", None), (">=3.14", False), ("<3.13", False), ("<3.13.100", True)]
)
def test_a_version_without_its_last_part_is_known_as_far_as_it_goes(wanted: str, fits: bool | None) -> None:
    assert python_fits("3.13", wanted) is fits


@pytest.mark.parametrize(
    ("systems", "fits"),
    [("linux", True), ("linux darwin", True), ("darwin", False), ("!win32", True), ("!linux", False)],
)
def test_what_is_made_for_another_system_cannot_run_here(systems: str, fits: bool) -> None:
    score = ask("compatibility", facts=PackageFacts(systems=systems), here={"system": "linux"})
    assert (score.score, score.confidence > 0) == ((1.0, True) if fits else (0.0, True))
    assert systems in words(score)[0]


def test_transport_and_era_count() -> None:
    new = facts("compatibility", transport="streamable-http", era="modern")
    old = facts("compatibility", transport="http+sse", era="legacy")
    assert new.score > old.score
    assert words(new) == ("speaks over streamable-http", "speaks the stateless protocol")
    spoken = Circumstances(need="", now=NOW, schemes=frozenset({"https"}))
    gone = CRITERIA["compatibility"].score(Candidate(ref=Ref(RefKind.REMOTE, "wss://h.example/"), name="x"), spoken)
    assert (gone.score, words(gone)) == (0.0, ("is reached over wss, which cannot be spoken here",))


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("github", ""), ("g\u0456thub", "CYRILLIC"), ("\uff47ithub", "FULLWIDTH"), ("p\u03b1ypal", "GREEK"),
        ("\U0001d420ithub", "MATHEMATICAL"), ("\u043f\u043e\u0438\u0441\u043a", ""), ("caf\u00e9", ""),
        ("\u043f\u043e\u0438\u0441\u043a github", ""), ("Qiita\u30b5\u30fc\u30d0\u30fc", ""),
    ],
)  # fmt: skip
def test_letters_that_look_like_others_are_flagged(name: str, letter: str) -> None:
    assert letter in disguised(name)
    assert bool(disguised(name)) == bool(letter)
    plain, odd = (
        ask("security", curated=False, variants=1),
        CRITERIA["security"].score(
            Candidate(ref=Ref(RefKind.NPM, "x"), name=name, variants=1), Circumstances(need="", now=NOW)
        ),
    )
    assert (odd.score < plain.score) == bool(letter)


def test_every_fact_says_whose_word_it_is() -> None:
    candidate = Candidate(
        ref=Ref(RefKind.PYPI, "x"),
        name="x",
        description="Does things.",
        tags=("files.local",),
        relevance=0.9,
        variants=2,
        launch=LaunchFacts(inputs=(KEY,), network=True),
        facts=PackageFacts(
            version="1.2", licence="MIT", published="2026-10-20", downloads=9, homepage="https://h.example",
            requires_python=">=3.8", dependencies=3, maintainers=2, readme_length=9, systems="linux",
            transport="stdio", era="legacy",
        ),
        provenance=dict.fromkeys(["description", "tags", "launch"], "catalogue")
        | {f"facts.{name}": "registry" for name in PackageFacts.__struct_fields__},
    )  # fmt: skip
    here = Circumstances(need="", now=NOW, pythons=("3.11.2",), system="linux")
    for criterion in CRITERIA.values():
        found = criterion.score(candidate, here).facts
        assert found, criterion.name
        assert all(fact.source for fact in found), criterion.name
