"""How the arguments of one tool become those of another."""

from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.app.capabilities import reader
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.tokens import words
from vsm_mcp.routing.arguments import MOST_PARAMETERS, Parameter, Plan, parameters_of, parse, plan

STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def read(*required: str, **properties: Any) -> tuple[Parameter, ...]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    found = parameters_of(schema, reader().terms, ("file",))
    assert found is not None
    return found


def planned(own: tuple[Parameter, ...], theirs: tuple[Parameter, ...]) -> Plan:
    return plan(own, theirs)


def test_names_in_any_spelling_and_names_of_one_group() -> None:
    own = read("file_path", "max-results", "tz", file_path=STRING, **{"max-results": INTEGER}, tz=STRING)
    theirs = read("path", "maxResults", "timeZone", path=STRING, maxResults=NUMBER, timeZone=STRING)
    found = planned(own, theirs)
    assert found.arguments == {"file_path": "path", "max-results": "maxResults", "tz": "timeZone"}
    assert found.missing == ()


def test_of_two_that_could_be_meant_none_is_unless_its_name_says_so() -> None:
    assert planned(read("q", q=STRING), read(query=STRING, text=STRING)).arguments == {}
    assert planned(read("q", "text", q=STRING, text=STRING), read("search", search=STRING)).arguments == {}
    by_word = planned(read("city", city=STRING), read(location_name=STRING, city_name=STRING))
    assert by_word.arguments == {"city": "city_name"}


def test_what_is_always_given_may_not_get_lost() -> None:
    found = planned(read("url", "depth", url=STRING, depth=INTEGER), read("url", url=STRING))
    assert found.missing == ("depth has no counterpart",)


def test_what_need_not_be_given_may_be_left_out_but_is_named() -> None:
    found = planned(read("url", url=STRING, depth=INTEGER), read("url", url=STRING))
    assert (found.missing, found.unmapped) == ((), ("depth",))


def test_what_is_needed_there_must_always_be_given() -> None:
    assert planned(read("a", a=STRING), read("a", "b", a=STRING, b=STRING)).missing
    assert planned(read("a", a=STRING, b=STRING), read("a", "b", a=STRING, b=STRING)).missing


@pytest.mark.parametrize(
    "only", [{"const": "text"}, {"type": "string", "enum": ["text"]}, STRING | {"default": "text"}]
)
def test_what_leaves_no_choice_is_given_besides(only: dict[str, Any]) -> None:
    found = planned(read("a", a=STRING), read("a", "kind", a=STRING, kind=only))
    assert (found.missing, found.fixed) == ((), {"kind": b'"text"'})


def test_own_defaults_are_given_where_theirs_are_others() -> None:
    own = read("url", url=STRING, max_length=INTEGER | {"default": 5000}, raw={"type": "boolean", "default": False})
    theirs = read("url", url=STRING, max_length=INTEGER | {"default": 100}, raw={"type": "boolean", "default": False})
    assert planned(own, theirs).fixed == {"max_length": b"5000"}


def test_types_are_never_converted_with_loss() -> None:
    assert planned(read("n", n=INTEGER), read("n", n=NUMBER)).missing == ()
    for other in (INTEGER, STRING, {"type": "integer", "maximum": 10}, {"enum": [1, 2]}):
        assert planned(read("n", n=NUMBER), read("n", n=other)).missing


def test_units_and_the_look_of_values_must_agree() -> None:
    seconds = NUMBER | {"description": "How long to wait, in seconds"}
    assert planned(read("timeout", timeout=seconds), read("timeout", timeout=seconds)).missing == ()
    milliseconds = NUMBER | {"description": "Timeout (ms)"}
    assert planned(read("timeout", timeout=seconds), read("timeout", timeout=milliseconds)).missing
    assert planned(read("timeout", timeout=NUMBER), read("timeout", timeout=milliseconds)).missing
    clock = STRING | {"description": "Time in 24-hour format (HH:MM)"}
    day = STRING | {"description": "The time, e.g. 2026-03-23 12:30:00"}
    assert planned(read("time", time=clock), read("time", time=day)).missing


def test_a_pattern_looks_as_the_tool_says() -> None:
    schema = {"type": "object", "properties": {"pattern": STRING}, "required": ["pattern"]}
    glob = parameters_of(schema, reader().terms, (), "Finds files by glob-style patterns.")
    part = parameters_of(schema, reader().terms, (), "Finds files whose names hold the text.")
    assert glob is not None
    assert part is not None
    assert plan(glob, part).missing


@pytest.mark.parametrize("name", ["session_id", "id", "cursor", "api_key", "password", "tabId", "access_token"])
def test_what_is_the_servers_own_or_secret_is_never_handed_on(name: str) -> None:
    same = read(name, **{name: STRING})
    assert planned(same, same).arguments == {}
    assert planned(same, same).missing
    optional = read(**{name: STRING})
    assert planned(optional, optional).unmapped == (name,)


def test_paths_are_handed_on_where_absolute_and_must_be_given() -> None:
    own = read("path", "destination", path=STRING, destination=STRING)
    found = planned(own, own)
    assert found.absolute == {"path", "destination"}
    assert planned(read("q", q=STRING, path=STRING), read("q", q=STRING, path=STRING)).missing == (
        "without path it works in a place of its own server",
    )


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {"type": "array"},
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"type": "object", "properties": {"a": {}}, "dependentRequired": {"a": ["b"]}},
        {"type": "object", "properties": [], "required": []},
        {"type": "object", "properties": {}, "required": ["a"]},
        {"type": "object", "properties": {}, "required": "a"},
        {"type": "object", "properties": {"p" * 201: {}}},
        {"type": "object", "properties": {f"p{number}": {} for number in range(MOST_PARAMETERS + 1)}},
    ],
)
def test_what_is_not_understood_has_no_parameters_to_compare(schema: Any) -> None:
    assert parameters_of(schema, reader().terms) is None


def test_the_table_of_names_is_in_the_form_that_is_looked_up() -> None:
    terms = reader().terms
    assert {name for name in {*terms.groups, *terms.own} if "_".join(words(name)) != name} == set()
    assert terms.located | terms.moved <= {group for groups in terms.groups.values() for group in groups}


def test_broken_tables_are_told() -> None:
    for text in (
        "names = 1",
        "[units]",
        "= 1",
        "own = []\nlocated = []\nmoved = []\nfiles = []\n[units]\n[names]\n[shapes]\na = '('",
    ):
        with pytest.raises(ConfigError):
            parse(text)
