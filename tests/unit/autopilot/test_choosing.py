"""Which candidates of a need are tried: those that lack nothing, unless a much better one lacks a value only."""

from __future__ import annotations

import pytest

from vsm_mcp.autopilot.choosing import AS_GOOD, NEARLY, Choice, Here, choose, nobody, unasked_first
from vsm_mcp.errors import ApprovalNeeded, NothingFound
from vsm_mcp.model.appraisal import Appraisal
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts, Settings
from vsm_mcp.model.ref import parse_ref

HERE = Here(tools=frozenset({"node", "npm", "git"}), kinds=frozenset({"npm", "pypi", "git"}))
PATH = LaunchFacts(inputs=(Input(kind=InputKind.ARG, name="--db-path", required=True),))
KEY = LaunchFacts(inputs=(Input(kind=InputKind.SECRET, name="API_KEY", required=True),))
HOME = LaunchFacts(inputs=(Input(kind=InputKind.ENV, name="FILE", required=True, default="~/x"),))
ONLINE = LaunchFacts(network=True)


def ranked(ref: str, score: float, launch: LaunchFacts | None = None, *, installed: bool = False) -> Appraisal:
    candidate = Candidate(ref=parse_ref(ref), name="x", launch=launch, installed=installed)
    return Appraisal(candidate=candidate, score=score, confidence=1.0, criteria={})


def tried(choice: Choice) -> list[str]:
    return [str(each.candidate.ref) for each in choice.tried]


def chosen(*given: Appraisal, settings: Settings | None = None) -> Choice:
    return choose(given, settings or Settings(), HERE)


def test_what_lacks_nothing_is_tried_in_its_order() -> None:
    assert tried(chosen(ranked("npm:a", 0.8), ranked("npm:b", 0.3, HOME))) == ["npm:a", "npm:b"]


@pytest.mark.parametrize(
    ("launch", "why", "give"),
    [
        (PATH, "needs --db-path", "--arg=--db-path --arg VALUE"),
        (KEY, "needs API_KEY", "--secret API_KEY"),
    ],
)
def test_a_much_worse_one_does_not_come_in_place_of_one_that_lacks_a_value(
    launch: LaunchFacts, why: str, give: str
) -> None:
    near, far = ranked("npm:near", 0.8 * NEARLY), ranked("npm:far", 0.8 * NEARLY - 0.01)
    choice = chosen(ranked("npm:best", 0.8, launch), near, far)
    assert tried(choice) == ["npm:near"]
    assert [(each.ref, each.why_not, each.give) for each in choice.passed_over] == [("npm:best", why, give)]
    alone = chosen(ranked("npm:best", 0.8, launch), far)
    assert tried(alone) == []
    error = nobody("x", alone)
    assert isinstance(error, ApprovalNeeded)
    assert f"npm:best {why}" in error.message
    assert error.ref == "npm:best"
    assert [value.name for value in error.values] == [item.name for item in launch.inputs]
    assert error.hint == f"give it what it needs: vsm-mcp add npm:best {give}"


def test_one_that_needs_the_network_sets_no_bar_for_what_does_without() -> None:
    choice = chosen(ranked("npm:best", 0.8, ONLINE), ranked("npm:far", 0.3))
    assert tried(choice) == ["npm:far"]
    assert choice.passed_over[0].why_not == "needs the network: --allow-host HOST"
    assert choice.passed_over[0].give == "--allow-host HOST"


def test_what_needs_no_leave_is_tried_first_where_it_is_about_as_good() -> None:
    bar = 0.8 * AS_GOOD
    best, near, far = ranked("npm:best", 0.8), ranked("npm:near", bar), ranked("npm:far", bar - 0.01)
    for let, order in (([near, far], (near, best, far)), ([], (best, near, far)), ([best, near], (best, near, far))):
        assert unasked_first((best, near, far), let.__contains__) == order
    assert unasked_first((), [].__contains__) == ()


def test_what_was_given_is_not_lacking() -> None:
    best = (ranked("npm:a", 0.8, KEY), ranked("npm:b", 0.8, PATH), ranked("npm:c", 0.8, ONLINE))
    settings = Settings(secrets={"API_KEY": "x"}, args=("--db-path", "/d"), hosts=("h.example",))
    assert tried(chosen(*best, settings=settings)) == ["npm:a", "npm:b", "npm:c"]


def test_what_cannot_be_had_here_sets_no_standard() -> None:
    choice = chosen(ranked("oci:a", 0.9), ranked("dir:/srv/a", 0.9), ranked("npm:b", 0.3))
    assert tried(choice) == ["npm:b"]
    assert [each.give for each in choice.passed_over] == ["", ""]


def test_what_is_served_already_is_taken_where_it_plainly_does_what_is_needed() -> None:
    given = (ranked("npm:best", 0.9, KEY), ranked("npm:mine", 0.5, installed=True), ranked("npm:near", 0.89))
    choice = choose(given, Settings(), HERE, plainly={"x"})
    assert tried(choice) == ["npm:mine", "npm:near"]
    choice = choose(given, Settings(), HERE)
    assert tried(choice) == ["npm:near"]
    assert choice.passed_over[1].why_not == "is served already, and none of its tools plainly does it"


def test_nothing_at_all_is_nothing_found() -> None:
    assert isinstance(nobody("x", chosen()), NothingFound)
    served = nobody("x", chosen(ranked("npm:mine", 0.9, installed=True)))
    assert isinstance(served, NothingFound)
    assert "served already was found (x)" in served.message
    error = nobody("x", chosen(ranked("dir:/srv/a", 0.9)))
    assert error.hint == "vsm-mcp add REF takes one by name"
