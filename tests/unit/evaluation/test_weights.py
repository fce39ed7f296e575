"""How much each criterion counts: presets, a user's own, and that they always add up to 1."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import ConfigError
from vsm_mcp.evaluation.weights import PRIORITIES, WEIGHTS, weights_of
from vsm_mcp.model.wants import Priority

OWN = st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.floats(0, 1000), max_size=7)


@pytest.mark.parametrize("priority", list(Priority))
def test_the_weights_of_each_priority_add_up_to_one(priority: Priority) -> None:
    assert PRIORITIES[priority].keys() == WEIGHTS.keys()
    assert sum(PRIORITIES[priority].values()) == pytest.approx(1.0)


def test_a_priority_counts_what_it_is_named_for_more_than_anything_else_does() -> None:
    for priority, name in ((Priority.SECURITY, "security"), (Priority.PERFORMANCE, "performance")):
        weights = weights_of(priority, {}, WEIGHTS)
        assert max(weights, key=lambda each: weights[each]) == name
        assert weights[name] > WEIGHTS[name]
    assert weights_of(Priority.BALANCED, {}, WEIGHTS) == pytest.approx(dict(WEIGHTS))


@given(st.sampled_from(list(Priority)), OWN)
def test_own_weights_take_the_place_of_the_priority_s_and_all_add_up_to_one(
    priority: Priority, own: dict[str, float]
) -> None:
    weights = weights_of(priority, own, WEIGHTS)
    assert weights.keys() == WEIGHTS.keys()
    assert math.isclose(sum(weights.values()), 1.0)
    for (first, one), (second, other) in itertools.combinations(own.items(), 2):
        assert math.isclose(weights[first] * other, weights[second] * one, abs_tol=1e-9)


def test_a_criterion_of_a_plug_in_counts_without_being_named() -> None:
    weights = weights_of(Priority.BALANCED, {}, [*WEIGHTS, "taste"])
    assert 0 < weights["taste"] < weights["capability"]
    assert sum(weights.values()) == pytest.approx(1.0)


def test_a_weight_of_nothing_and_weights_that_count_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="no criterion is called 'speed'"):
        weights_of(Priority.BALANCED, {"speed": 1.0}, WEIGHTS)
    with pytest.raises(ConfigError, match="nothing counts"):
        weights_of(Priority.BALANCED, dict.fromkeys(WEIGHTS, 0.0), WEIGHTS)
