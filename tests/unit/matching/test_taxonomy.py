from __future__ import annotations

import pytest

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.taxonomy import Taxonomy, parse
from vsm_mcp.matching.tokens import joined, need_stems, stems

TEXT = """
[[tag]]
name = "time.timezones"
definition = "Convert a time between time zones"
words = ["time zone", "utc", "zeitzone"]
[[tag]]
name = "random.numbers"
definition = "Random numbers and choices"
words = ["random number", "dice", "draw", "pick"]
[[tag]]
name = "charts"
definition = "Draw charts from numbers"
words = ["chart", "pie chart", "plot"]
"""


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return parse(TEXT)


def called(taxonomy: Taxonomy, need: str) -> list[str]:
    parts = need_stems(need)
    return [match.name for match in taxonomy.of_need(parts, joined(parts))]


@pytest.mark.parametrize(
    ("need", "first"),
    [
        ("convert a time between time zones", "time.timezones"),
        ("Zeitzone umrechnen", "time.timezones"),
        ("draw charts", "charts"),
        ("throw two dice", "random.numbers"),
        ("plot my data", "charts"),
    ],
)
def test_a_need_calls_for_its_tag(taxonomy: Taxonomy, need: str, first: str) -> None:
    assert called(taxonomy, need)[0] == first


@pytest.mark.parametrize("need", ["teleport a banana", "", "the server"])
def test_a_need_of_other_words_calls_for_none(taxonomy: Taxonomy, need: str) -> None:
    assert called(taxonomy, need) == []


def test_a_thing_has_the_tags_whose_phrases_it_wholly_holds(taxonomy: Taxonomy) -> None:
    assert list(taxonomy.of_thing(stems("pie chart of the time zones"))) == ["charts", "time.timezones"]
    assert taxonomy.of_thing(stems("a time machine with a chart")) == {}


def test_a_thing_that_says_more_of_a_kind_is_more_surely_of_it(taxonomy: Taxonomy) -> None:
    little, much = taxonomy.of_thing(stems("pie chart")), taxonomy.of_thing(stems("pie chart, plot"))
    assert 0.5 <= little["charts"] < much["charts"] < 1.0


@pytest.mark.parametrize(
    ("given", "meant"),
    [("charts", "charts"), ("Time Zones", "time.timezones"), ("plot", "charts"), ("banana", None), ("", None)],
)
def test_tags_of_others_are_read_as_ours(taxonomy: Taxonomy, given: str, meant: str | None) -> None:
    normal = taxonomy.normal(given)
    assert (normal[0] if normal else None) == meant


def test_words_that_stand_for_a_tag_alone(taxonomy: Taxonomy) -> None:
    assert taxonomy.words("time.timezones") == {"utc", "zeitzon"}


@pytest.mark.parametrize("text", ["", "[[tag]]\nname='x'", "tag = 3", "nonsense ["])
def test_another_form_is_a_clear_error(text: str) -> None:
    with pytest.raises(ConfigError, match="taxonomy"):
        parse(text)
