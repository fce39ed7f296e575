"""Schemas of tools: JSON Schema or not, without ever following a reference to somewhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.vetting.schemas import check_schemas, duplicates, problems_of

GOOD: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def tool(name: str = "t", **definition: Any) -> Definition:
    value = {"name": name, "inputSchema": GOOD, **definition}
    return Definition(kind=ItemKind.TOOL, name=name, raw=json.dumps(value).encode())


@pytest.mark.parametrize(
    "schema",
    [
        GOOD,
        {"type": "object"},
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "definitions": {"a": {"type": "null"}},
        },
        {"type": "object", "$defs": {"n": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/n"}}},
        {"type": "object", "properties": {"$ref": {"type": "string"}}},
        {"$schema": "https://unknown.example/dialect", "type": "object"},
    ],
)
def test_valid_schemas(schema: dict[str, Any]) -> None:
    assert list(problems_of(tool(inputSchema=schema, outputSchema=schema))) == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (None, "missing"),
        ([], "not an object"),
        ({}, 'no type "object"'),
        ({"type": "string"}, 'no type "object"'),
        ({"type": "object", "properties": []}, "not valid JSON Schema at $.properties"),
        ({"type": "object", "properties": {"a": {"type": "strnig"}}}, "$.properties.a.type"),
        ({"type": "object", "required": "a"}, "$.required"),
        ({"type": "object", "properties": {"a": {"$ref": "https://h.example/s.json"}}}, "outside of itself"),
        ({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}, "outside of itself"),
    ],
)
def test_wrong_schemas_are_named_with_the_place(schema: Any, words: str) -> None:
    assert any(words in problem for problem in problems_of(tool(inputSchema=schema)))


def test_deep_nesting_is_a_problem_not_a_crash() -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(90):
        deep = {"type": "object", "properties": {"a": deep}}
    assert isinstance(list(problems_of(tool(inputSchema=deep))), list)


@pytest.mark.parametrize("raw", [b"{", b"[]", b'"x"'])
def test_what_is_no_definition(raw: bytes) -> None:
    assert list(problems_of(Definition(kind=ItemKind.TOOL, name="t", raw=raw)))


def test_it_stops_when_its_time_is_up_and_says_how_far_it_got() -> None:
    now = iter(range(100))
    offer = Offer(items=tuple(tool(str(number)) for number in range(10)))
    report = check_schemas(offer, budget_seconds=3, clock=lambda: float(next(now)))
    assert (report.total, report.checked, report.wrong) == (10, 3, ())


def test_names_that_come_twice() -> None:
    assert duplicates(Offer(items=(tool("b"), tool("a"), tool("b")))) == ("b",)
