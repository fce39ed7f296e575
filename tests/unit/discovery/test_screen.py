from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.screen import clean, screen
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.launch import LaunchFacts
from vsm_mcp.model.ref import Ref, RefKind, parse_ref


def candidate(**fields: Any) -> Candidate:
    return Candidate(**{"ref": Ref(RefKind.PYPI, "time-mcp"), "name": "time", **fields})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]0;title\x07b", "a b"),
        ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "a link"),
        ("\x9b31mred", "red"),
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("right\u202eleft", "rightleft"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07 null\x00 delete\x7f", "bell null delete"),
        ("tag\U000e0041", "tag"),
        ("日本語 é", "日本語 é"),
        ("\x1b", ""),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert clean(text, 100) == shown


def test_tools_are_screened_as_all_text_is() -> None:
    given = candidate(tools=(("\x1b[31mread", "Reads\nfiles\u202e"), *[("more", "x" * 500)] * 300))
    screened = screen(given, "containers")
    assert screened is not None
    assert screened.tools[0] == ("read", "Reads files")
    assert (len(screened.tools), len(screened.tools[1][1])) == (200, 300)
    assert screened.provenance["tools"] == "containers"
    assert screen(candidate(tools=(("one",),)), "containers") is None


def test_long_text_is_cut_with_a_sign() -> None:
    assert clean("x" * 500, 10) == "x" * 9 + "…"


@given(st.text(), st.integers(1, 50))
def test_clean_text_shows_itself_only_and_is_clean_already(text: str, limit: int) -> None:
    once = clean(text, limit)
    assert len(once) <= limit
    assert once.isprintable()
    assert clean(once, limit) == once


def test_the_flags_of_strangers_do_not_count() -> None:
    screened = screen(candidate(curated=True, installed=True, relevance=1e9, sources=("catalogue",)), "somebody")
    assert screened is not None
    assert (screened.curated, screened.installed, screened.relevance) == (False, False, 0.0)
    assert screened.sources == ("somebody",)
    assert set(screened.provenance.values()) == {"somebody"}


def test_the_flags_of_our_own_sources_count() -> None:
    curated, installed = screen(candidate(curated=True), "catalogue"), screen(candidate(installed=True), "installed")
    assert curated is not None and curated.curated
    assert installed is not None and installed.installed


@pytest.mark.parametrize(
    "liar",
    [
        None,
        "npm:x",
        42,
        candidate(ref=Ref(RefKind.PYPI, "../../etc/passwd")),
        candidate(ref=Ref(RefKind.NPM, "x; rm -rf ~")),
        candidate(ref=Ref(RefKind.NPM, "UPPER")),
        candidate(ref=Ref(RefKind.PYPI, "")),
        candidate(ref=Ref(RefKind.CMD, "rm -rf /")),
        candidate(ref="npm:x"),
        candidate(name=None),
        candidate(description=b"bytes"),
        candidate(tags=None),
        candidate(facts=None),
        candidate(variants="many"),
        candidate(launch=LaunchFacts(args=("a\nb",))),
        candidate(launch=LaunchFacts(args=("x" * 5000,))),
    ],
)
def test_what_is_no_candidate_is_dropped(liar: object) -> None:
    assert screen(liar, "somebody") is None


def test_texts_are_cleaned_and_cut() -> None:
    screened = screen(
        candidate(name="\x1b[2Jname", description="d" * 10_000, tags=("Ünfug", "../x", "charts"), text="\x07t"),
        "somebody",
    )
    assert screened is not None
    assert (screened.name, screened.tags, screened.text) == ("name", ("charts",), "t")
    assert len(screened.description) <= 400


def test_facts_that_cannot_be_are_left_out() -> None:
    screened = screen(
        candidate(facts=PackageFacts(downloads=-5, dependencies=10**30, licence="\x1b[1mMIT", maintainers=3)),
        "somebody",
    )
    assert screened is not None
    assert screened.facts == PackageFacts(licence="MIT", maintainers=3)
    odd = screen(candidate(facts=PackageFacts(downloads=math.nan)), "somebody")  # type: ignore[arg-type]
    assert odd is not None and odd.facts.downloads is None


@pytest.mark.parametrize("text", ["cmd:weather-mcp", "dir:/srv/weather", "mcpb:/srv/weather.mcpb"])
def test_only_sources_of_this_machine_name_what_is_on_it(text: str) -> None:
    named = candidate(ref=parse_ref(text))
    assert [screen(named, source) is not None for source in ("clients", "kits", "local", "community", "x")] == [
        *(True, True, True),
        *(False, False),
    ]
    assert screen(candidate(ref=parse_ref("mcpb:https://h/x.mcpb")), "community") is not None


@pytest.mark.parametrize(
    ("source", "said", "kept"), [("research", 70, 70), ("research", 700, None), ("community", 70, None)]
)
def test_only_a_model_that_was_asked_recommends(source: str, said: int, kept: int | None) -> None:
    screened = screen(candidate(facts=PackageFacts(recommended=said, downloads=3)), source)
    assert screened is not None
    assert (screened.facts.recommended, screened.facts.downloads) == (kept, 3)
