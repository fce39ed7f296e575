"""Versions against ranges, as OSV's schema evaluates them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.vetting.advisories.ranges import NPM, PYPI, Range, Unordered, fixed_in, order, same, within


def spans(*events: dict[str, str], kind: str = "SEMVER") -> tuple[Range, ...]:
    return (Range(kind, events),)


NPM_ORDER = [
    "0.0.0-0", "0.0.0", "0.0.1-alpha", "0.0.1-alpha.1", "0.0.1-alpha.beta", "0.0.1-beta.2", "0.0.1-beta.11",
    "0.0.1-rc.1", "0.0.1", "0.1.0", "1.0.0-0", "1.0.0", "1.9.0", "1.10.0", "2025.7.1",
]  # fmt: skip


def test_versions_of_npm_are_in_the_order_of_semantic_versioning() -> None:
    shuffled = sorted(NPM_ORDER)
    assert sorted(shuffled, key=lambda version: order(NPM, version)) == NPM_ORDER


@pytest.mark.parametrize(
    ("one", "other"), [("1.0.0", "1.0.0+build.5"), ("v1.2.3", "1.2.3"), ("1.2", "1.2.0"), ("=1.0.0", "1.0.0")]
)
def test_texts_of_one_npm_version(one: str, other: str) -> None:
    assert same(NPM, one, other)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0.0"), ("1.0rc1", "1.0.0-RC.1"), ("1.0.post1", "1.0-1")])
def test_texts_of_one_python_version(one: str, other: str) -> None:
    assert same(PYPI, one, other)


@pytest.mark.parametrize("version", ["", "latest", "1.2.3.4", "1.x", "١.٠.٠", "1" * 30 + ".0.0"])
def test_what_npm_does_not_order_is_said(version: str) -> None:
    with pytest.raises(Unordered):
        order(NPM, version)


@pytest.mark.parametrize(
    ("version", "events", "inside"),
    [
        ("0.0.4", ({"introduced": "0.0.5"}, {"fixed": "0.1.16"}), False),
        ("0.0.5", ({"introduced": "0.0.5"}, {"fixed": "0.1.16"}), True),
        ("0.1.15", ({"introduced": "0.0.5"}, {"fixed": "0.1.16"}), True),
        ("0.1.16-rc.1", ({"introduced": "0.0.5"}, {"fixed": "0.1.16"}), True),
        ("0.1.16", ({"introduced": "0.0.5"}, {"fixed": "0.1.16"}), False),
        ("0.0.0-alpha", ({"introduced": "0"},), True),
        ("9.9.9", ({"introduced": "0"},), True),
        ("1.5.0", ({"introduced": "0"}, {"last_affected": "1.5.0"}), True),
        ("1.5.1", ({"introduced": "0"}, {"last_affected": "1.5.0"}), False),
        # several spans in one range, in any order
        ("1.1.0", ({"fixed": "2.1.0"}, {"introduced": "2.0.0"}, {"fixed": "1.0.5"}, {"introduced": "0"}), False),
        ("1.0.4", ({"fixed": "2.1.0"}, {"introduced": "2.0.0"}, {"fixed": "1.0.5"}, {"introduced": "0"}), True),
        ("2.0.9", ({"fixed": "2.1.0"}, {"introduced": "2.0.0"}, {"fixed": "1.0.5"}, {"introduced": "0"}), True),
        ("2.1.0", ({"fixed": "2.1.0"}, {"introduced": "2.0.0"}, {"fixed": "1.0.5"}, {"introduced": "0"}), False),
        # mended and broken again in one version
        ("1.0.0", ({"introduced": "0"}, {"fixed": "1.0.0"}, {"introduced": "1.0.0"}), True),
        # beyond the limit nobody looked
        ("3.0.0", ({"introduced": "0"}, {"limit": "2.0.0"}), False),
        ("1.9.9", ({"introduced": "0"}, {"limit": "2.0.0"}), True),
        ("3.0.0", ({"introduced": "0"}, {"limit": "*"}), True),
        ("1.0.0", (), False),
        ("1.0.0", ({"fixed": "2.0.0"},), False),
    ],
)
def test_spans(version: str, events: tuple[dict[str, str], ...], inside: bool) -> None:
    assert within(NPM, version, spans(*events)) is inside


def test_python_versions_follow_pep_440() -> None:
    events = ({"introduced": "0"}, {"fixed": "1.10.0"})
    inside = [
        one
        for one in ("0.dev0", "1.9", "1.10rc1", "1.10.0", "1.10.0.post1", "2!0.1")
        if within(PYPI, one, spans(*events))
    ]
    assert inside == ["0.dev0", "1.9", "1.10rc1"]


def test_commits_are_no_versions() -> None:
    assert not within(NPM, "1.0.0", spans({"introduced": "0"}, kind="GIT"))


def test_the_next_version_that_mends_it_is_named() -> None:
    ranges = spans({"introduced": "0"}, {"fixed": "1.0.5"}, {"introduced": "2.0.0"}, {"fixed": "2.1.0"})
    assert fixed_in(NPM, "1.0.0", ranges) == "1.0.5"
    assert fixed_in(NPM, "2.0.0", ranges) == "2.1.0"
    assert fixed_in(NPM, "2.0.0", spans({"introduced": "0"}, {"last_affected": "9.0.0"})) == ""


NUMBERS = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))


@given(st.lists(NUMBERS, min_size=2, max_size=2, unique=True), NUMBERS)
def test_a_span_holds_exactly_what_lies_in_it(ends: list[tuple[int, ...]], this: tuple[int, ...]) -> None:
    low, high = sorted(ends)
    texts = [".".join(map(str, each)) for each in (low, high, this)]
    inside = within(NPM, texts[2], spans({"introduced": texts[0]}, {"fixed": texts[1]}))
    assert inside is (low <= this < high)
