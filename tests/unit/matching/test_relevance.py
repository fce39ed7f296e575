from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.matching.conversion import BACKWARDS
from vsm_mcp.matching.need import Counted, Reader
from vsm_mcp.matching.popularity import of_downloads, of_rank
from vsm_mcp.matching.relevance import THRESHOLD, Matcher, Thing, blended
from vsm_mcp.matching.taxonomy import parse
from vsm_mcp.matching.tools import ToolIndex
from vsm_mcp.matching.wording import ToolText

TAXONOMY = parse(
    """
[[tag]]
name = "crypto.hash"
definition = "Cryptographic digests and checksums"
words = ["hash", "digest", "checksum"]
[[tag]]
name = "data.sqlite"
definition = "SQLite databases"
words = ["sqlite", "sqlite database"]
"""
)
MATCHER = Matcher(
    Reader(
        Counted(1000, {"hash": 20, "text": 200, "databa": 300, "sqlite": 30, "postgresql": 40, "time": 90}), TAXONOMY
    )
)


def relevance(need: str, **thing: object) -> float:
    return MATCHER.match(MATCHER.need(need), Thing(**thing)).score  # type: ignore[arg-type]


def test_a_thing_that_says_it_all_covers_it_all() -> None:
    assert relevance("hash a text", name="text-hash") == 1.0


def test_a_tag_stands_for_the_words_of_the_need() -> None:
    with_tag = relevance("checksum of a download", name="digest-things", tags=("crypto.hash",))
    assert with_tag > relevance("checksum of a download", name="digest-things", tags=("data.sqlite",))


def test_tags_in_the_words_of_others_are_those_of_the_taxonomy() -> None:
    """A catalogue that says ``sqlite`` means ``data.sqlite``; one that says ``cool`` says nothing."""
    ours, theirs, other = (relevance("sqlite databases", name="store", tags=tags) for tags in _TAGS)
    assert ours == theirs > 0.7
    assert other == relevance("sqlite databases", name="store") == 0.0
    assert relevance("sqlite databases", name="sqlite-databases", tags=("cool",)) == 1.0


_TAGS = (("data.sqlite",), ("cool", "sqlite"), ("cool",))


def test_given_tags_say_what_a_thing_is_not_for() -> None:
    assert MATCHER.need("sqlite databases").tags[0].confidence == 1.0
    other = relevance("sqlite databases", name="hashing-sqlite-databases", tags=("crypto.hash",))
    same = relevance("sqlite databases", name="hashing-sqlite-databases", tags=("crypto.hash", "data.sqlite"))
    assert other < 0.9 * same


def test_a_product_that_a_need_names_is_not_covered_by_another_of_its_kind() -> None:
    chat = parse(
        """
[[tag]]
name = "comms.chat"
definition = "Chat"
words = ["chat", "message", "slack", "discord"]
products = ["slack", "discord"]
"""
    )
    matcher = Matcher(Reader(Counted(1000, {"slack": 20, "discord": 20, "messag": 200}), chat))
    need = matcher.need("a slack message")
    assert need.tags[0].confidence == 1.0, "it says what the need is about all the same"
    own, other = (matcher.match(need, Thing(name, "", ("comms.chat",))).score for name in ("slack", "discord"))
    assert own > 0.9
    assert other < 0.5
    for either in ("a chat message", "a message on slack or discord"):
        assert matcher.match(matcher.need(either), Thing("discord", "", ("comms.chat",))).score > 0.75


def test_a_tool_covers_what_a_thing_does_not_say_of_itself() -> None:
    told = {"name": "store", "description": "A sqlite store"}
    without, by_tool = (relevance("checksum of sqlite", **told, tools=tools) for tools in ((), ("file_checksum",)))
    assert without < by_tool < relevance("checksum of sqlite", name="sqlite-checksum")


def test_tools_say_which_way_round_things_are_turned() -> None:
    need, both = "turn a text into a hash", ("text_to_hash", "hash_to_text")
    reverse, right, either = (
        relevance(need, name="hash-text", tools=tools) for tools in (("hash_to_text",), ("text_to_hash",), both)
    )
    assert reverse == pytest.approx(BACKWARDS * right)
    assert either == right


def test_halves_in_two_tools_are_no_whole() -> None:
    need = "hash a text into sqlite"
    halves = relevance(need, name="toolbox", tools=("hash_password", "read_text", "open_sqlite"))
    assert halves < relevance(need, name="toolbox", tools=("hash_text", "open_sqlite"))
    assert halves == max(relevance(need, name="toolbox", tools=(tool,)) for tool in ("hash_password", "open_sqlite"))


@pytest.mark.parametrize("name", ["line\nbreak_hash", "", "\ud800", "ﬁle" * 400])
def test_a_tool_may_be_called_anything(name: str) -> None:
    assert 0.0 <= relevance("hash a text", name="toolbox", tools=(name, "hash_text")) <= 1.0


def test_half_a_need_stays_below_the_threshold() -> None:
    need = MATCHER.need("teleport a banana")
    half, whole = MATCHER.rate(need, [Thing("banana", "pictures of bananas"), Thing("banana-teleport")])
    assert half.score < THRESHOLD < whole.score


def test_a_name_in_a_need_is_what_a_tool_is_called_with() -> None:
    weather = {"name": "weather", "description": "Weather for any place"}
    assert relevance("the weather in Paris", **weather) > THRESHOLD
    assert relevance("the weather in paris", **weather) < relevance("the weather in Paris", **weather)
    assert relevance("read Sqlite", **weather) == 0.0, "what servers are named after is no such name"
    assert relevance("the weather on 1994", **weather) > THRESHOLD, "nor is a number what it does"


def test_what_does_the_reverse_covers_the_words_and_still_does_not_meet_the_need() -> None:
    right = relevance("turn text into speech", name="text-to-speech", description="Speaks")
    wrong = relevance("turn text into speech", name="speech-to-text", description="Writes")
    assert wrong == pytest.approx(BACKWARDS * right)
    both = relevance("turn text into speech", name="speech", description="From speech to text, and text to speech")
    assert both > wrong


def test_words_written_apart_and_together_are_the_same() -> None:
    assert relevance("convert between time zones", name="timezone-converter") > THRESHOLD
    assert relevance("timezone", description="time zone") > THRESHOLD


def test_a_misspelt_need_is_understood() -> None:
    assert relevance("postgrezql", name="postgresql") > 0.4


def test_a_name_counts_more_than_a_long_text() -> None:
    assert relevance("sqlite", name="sqlite") > relevance("sqlite", text="sqlite")


def test_a_word_that_only_the_taxonomy_knows_is_not_taken_for_a_misspelling() -> None:
    matcher = Matcher(Reader(Counted(1000, {"hashe": 20}), TAXONOMY))
    assert [tag.name for tag in matcher.need("digest").tags] == ["crypto.hash"]
    near = Matcher(Reader(Counted(1000, {"digesta": 20}), TAXONOMY)).need("digest")
    assert [tag.name for tag in near.tags] == ["crypto.hash"]


def test_what_is_missing_is_named() -> None:
    match = MATCHER.match(MATCHER.need("hash a banana"), Thing(name="hash"))
    assert match.covered == ("hash",)
    assert match.missing == ("banana",)


@pytest.mark.parametrize("need", ["", "   ", "!!!", "\x1b[31m", "a", "🍌"])
def test_a_need_without_words_is_met_by_nothing(need: str) -> None:
    assert relevance(need, name="hash", description="text") < THRESHOLD


@given(st.text(max_size=80), st.text(max_size=40), st.text(max_size=120), st.sampled_from([(), ("crypto.hash",)]))
def test_relevance_is_a_share(need: str, name: str, description: str, tags: tuple[str, ...]) -> None:
    assert 0.0 <= relevance(need, name=name, description=description, tags=tags) <= 1.0


@given(st.integers(0, 10**10), st.integers(0, 10**10))
def test_more_downloads_never_make_less_popular(one: int, other: int) -> None:
    assert (of_downloads(one) - of_downloads(other)) * (one - other) >= 0


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_a_better_place_never_makes_less_popular(one: int, other: int) -> None:
    assert (of_rank(one) - of_rank(other)) * (other - one) >= 0
    assert of_rank(one) > of_rank(0)


def test_tools_are_found_by_name_parameters_and_server() -> None:
    index = ToolIndex(
        [
            ToolText("a", "create_issue", "Create an issue in a repository", "title body labels", "github"),
            ToolText("b", "readFile", "Read a file", "path encoding", "files"),
            ToolText("c", "now", "Current time", "timezone", "clock"),
        ]
    )
    assert index.search("open a new issue on github", 1)[0][0] == "a"
    assert index.search("read a file", 1)[0][0] == "b"
    assert index.search("what time is it in a time zone", 1)[0][0] == "c"
    assert index.search("banana", 3) == []
    assert len(index) == 3


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_of_anything_never_makes_less_relevant(words: float, near: float, kind: float, more: float) -> None:
    least = blended(words, near, kind)
    assert 0.0 <= least <= blended(max(words, more), near, kind) <= 1.0
    assert least <= blended(words, max(near, more), kind)
    assert least <= blended(words, near, max(kind, more))


def test_a_thing_of_the_kind_that_is_needed_is_more_than_its_words() -> None:
    need = MATCHER.need("sqlite databases")
    [same, other] = [
        MATCHER.match(need, Thing("files", "reads files", tags)) for tags in (("data.sqlite",), ("crypto.hash",))
    ]
    assert (same.kind, other.kind) == (1.0, 0.0)
