"""What one schema lets through, compared with another: never more is claimed than a validator confirms."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.routing.schemas import accepts, fits_value, kinds, opened

STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def fits(given_: Any, taken: Any, root: dict[str, Any] | None = None) -> bool:
    return accepts(opened(given_, root or {}), opened(taken, root or {}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (STRING, STRING),
        (STRING, {}),
        (STRING, {"type": "string", "description": "A path", "title": "Path", "format": "uri"}),
        (STRING, {"type": "string", "minLength": 1}),
        (STRING, {"type": ["string", "null"]}),
        (STRING, {"anyOf": [{"type": "null"}, STRING]}),
        (INTEGER, NUMBER),
        (INTEGER, {"type": "integer", "minimum": -(2**53 - 1), "maximum": 2**53 - 1}),
        ({"type": "integer", "minimum": 1, "maximum": 9}, {"type": "integer", "minimum": 0, "maximum": 10}),
        ({"enum": ["a"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"const": "a"}, STRING),
        ({"type": "string", "enum": ["a", "b"]}, STRING),
        ({"type": "array", "items": INTEGER}, {"type": "array", "items": NUMBER}),
        ({"type": "array", "items": INTEGER}, {"type": "array"}),
        (
            {"type": "object", "properties": {"a": INTEGER}, "required": ["a"], "additionalProperties": False},
            {"type": "object", "properties": {"a": NUMBER, "b": STRING}},
        ),
        ({"type": "object", "additionalProperties": STRING}, {"type": "object", "additionalProperties": STRING}),
    ],
)
def test_what_is_let_through_by_both(one: Any, other: Any) -> None:
    assert fits(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, STRING),
        (STRING, INTEGER),
        (NUMBER, INTEGER),
        ({"type": ["string", "null"]}, STRING),
        (STRING, {"type": "string", "enum": ["a"]}),
        ({"enum": ["a", "c"]}, {"enum": ["a", "b"]}),
        ({"enum": [1]}, {"enum": [True]}),
        (STRING, {"type": "string", "maxLength": 10}),
        (STRING, {"type": "string", "pattern": "^a"}),
        (INTEGER, {"type": "integer", "minimum": 0}),
        ({"type": "integer", "minimum": 0}, {"type": "integer", "minimum": 0, "exclusiveMinimum": True}),
        ({"type": "array"}, {"type": "array", "items": STRING}),
        ({"type": "array", "items": STRING}, {"type": "array", "items": STRING, "minItems": 1}),
        ({"type": "array", "items": STRING}, {"type": "array", "prefixItems": [INTEGER]}),
        ({"type": "object"}, {"type": "object", "required": ["a"]}),
        ({"type": "object", "properties": {"a": STRING}}, {"type": "object", "properties": {"a": STRING, "b": STRING}}),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}),
        (STRING, {"not": {"const": "a"}}),
        (STRING, {"$ref": "#/$defs/nowhere"}),
        (STRING, {"$ref": "https://example.com/schema"}),
        (STRING, False),
        ({"properties": {"a": STRING}}, {"properties": {"a": INTEGER}}),
    ],
)
def test_what_may_be_refused(one: Any, other: Any) -> None:
    assert not fits(one, other)


def test_references_are_followed_within_the_schema() -> None:
    root = {"$defs": {"Unit": {"enum": ["km", "mile"]}, "a/b": INTEGER}}
    assert fits({"const": "km"}, {"$ref": "#/$defs/Unit"}, root)
    assert fits(INTEGER, {"$ref": "#/$defs/a~1b"}, root)


def test_one_value() -> None:
    assert fits_value("km", opened({"enum": ["km", "mile"]}, {}))
    assert not fits_value("ell", opened({"enum": ["km", "mile"]}, {}))
    assert not fits_value(11, opened({"type": "integer", "maximum": 10}, {}))


def test_types_in_short() -> None:
    assert kinds(opened({"anyOf": [STRING, {"type": "null"}]}, {})) == "string|null"
    assert kinds(opened({"description": "anything"}, {})) == "any"


def test_endless_work_is_not_done() -> None:
    root = {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * 50}}}
    assert len(opened({"$ref": "#/$defs/a"}, root)) < 50_000
    assert not fits(STRING, {"$ref": "#/$defs/a"}, root)


NAMES = ("a", "b", "c")
NUMBERS = st.integers(-3, 3)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from([0.5, "x", "yy", "zzz"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=4,
)


def some(**words: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=words)


def typed(kind: str, **words: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return some(**words).map(lambda found: {"type": kind, **found})


PLAIN = st.one_of(
    typed("string", maxLength=st.integers(0, 3), pattern=st.sampled_from(["x", "y"])),
    typed("integer", minimum=NUMBERS, maximum=NUMBERS, exclusiveMinimum=NUMBERS, multipleOf=st.just(2)),
    typed("number", minimum=NUMBERS, exclusiveMaximum=NUMBERS),
    st.sampled_from([{}, {"type": "boolean"}, {"type": "null"}, {"type": ["string", "integer"]}, {"minimum": 1}]),
    st.lists(VALUES, max_size=3).map(lambda found: {"enum": found}),
    VALUES.map(lambda found: {"const": found}),
)
SCHEMAS = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        typed("array", items=inner, minItems=st.integers(0, 2), maxItems=st.integers(0, 2)),
        typed(
            "object",
            properties=st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
            required=st.lists(st.sampled_from(NAMES), max_size=1),
            additionalProperties=st.booleans() | inner,
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda found: {"anyOf": found}),
        inner.map(lambda found: {"not": found}),
    ),
    max_leaves=4,
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two schemas that have much in common, so that often one accepts the other."""
    one, more = draw(SCHEMAS), draw(SCHEMAS)
    kept = {key: value for key, value in one.items() if draw(st.integers(0, 4))}
    added = {key: value for key, value in more.items() if not draw(st.integers(0, 2))}
    other = draw(st.sampled_from([{**kept, **added}, kept, {"anyOf": [more, kept]}]))
    return one, other


@settings(max_examples=400)
@given(pairs(), st.lists(VALUES, min_size=1, max_size=6))
def test_what_is_said_to_be_accepted_is(pair: tuple[dict[str, Any], dict[str, Any]], values: list[Any]) -> None:
    one, other = pair
    if fits(one, other):
        mine, theirs = jsonschema.Draft202012Validator(one), jsonschema.Draft202012Validator(other)
        for value in values:
            assert theirs.is_valid(value) or not mine.is_valid(value)


def test_that_is_seen_often_enough() -> None:
    """The property above would hold of what accepts nothing."""
    seen: list[bool] = []

    @settings(max_examples=100, database=None, derandomize=True)
    @given(pairs())
    def count(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
        seen.append(fits(*pair))

    count()
    assert sum(seen) >= 10
