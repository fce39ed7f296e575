"""The order of starts, by property."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import BadArgument
from vsm_mcp.runtime.order import circle, waits

NAMES = "abcdefgh"
graphs = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES), max_size=3), max_size=8)
subsets = st.lists(st.sampled_from(NAMES), unique=True)


def forwards(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return what is left of a graph that only ever leads to earlier letters: it has no circle."""
    return {name: {other for other in others if other < name} for name, others in graph.items()}


def reached(name: str, graph: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    for _ in NAMES:
        found |= graph.get(name, set()).union(*(graph.get(other, set()) for other in found))
    return found


@given(graphs, subsets)
def test_each_waits_for_those_before_it_and_for_nobody_else(graph: dict[str, set[str]], chosen: list[str]) -> None:
    graph = forwards(graph)
    before = waits(chosen, graph)
    assert list(before) == chosen
    assert before == {name: reached(name, graph) & set(chosen) for name in chosen}


@given(graphs, subsets)
def test_stopping_is_the_same_the_other_way_round(graph: dict[str, set[str]], chosen: list[str]) -> None:
    graph = forwards(graph)
    before, behind = waits(chosen, graph), waits(chosen, graph, reverse=True)
    assert {(a, b) for a in before for b in before[a]} == {(b, a) for a in behind for b in behind[a]}


@given(graphs, subsets)
def test_there_is_always_an_order_or_a_circle_that_is_named(graph: dict[str, set[str]], chosen: list[str]) -> None:
    ring = circle(graph)
    assert bool(ring) == any(name in reached(name, graph) for name in NAMES)
    if ring:
        assert ring[0] == ring[-1]
        assert all(after in graph[name] for name, after in itertools.pairwise(ring))
        with pytest.raises(BadArgument) as caught:
            waits(chosen, graph)
        assert " comes after ".join(ring) in caught.value.message
        return
    left = dict(waits(chosen, graph))
    while left:  # somebody is always free to go
        free = [name for name, others in left.items() if not others & set(left)]
        assert free
        for name in free:
            del left[name]


def test_order_goes_through_servers_that_are_not_chosen() -> None:
    assert waits(["a", "c"], {"c": ["b"], "b": ["a"]}) == {"a": frozenset(), "c": frozenset("a")}
    assert waits(["c"], {"c": ["gone"]}) == {"c": frozenset()}
    assert circle({"a": ["a"]}) == ("a", "a")
