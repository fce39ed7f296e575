"""Experience moves a tool's score a little: not at all without evidence, in its own direction, and never far."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.tool_experience import PRIOR, SWAY, ToolExperience

COUNT = st.floats(0, 1e6)


@st.composite
def seen_calls(draw: st.DrawFn) -> ToolExperience:
    answered, tool_errors, refused = draw(COUNT), draw(COUNT), draw(COUNT)
    quick = draw(st.floats(0, 1)) * (answered + tool_errors + refused)
    return ToolExperience(answered=answered, tool_errors=tool_errors, refused=refused, faults=draw(COUNT), quick=quick)


SEEN = seen_calls()


def test_without_evidence_nothing_changes() -> None:
    assert ToolExperience().factor == 1.0
    assert ToolExperience().faded(1e9).factor == 1.0


@given(SEEN)
def test_it_never_moves_a_score_far(seen: ToolExperience) -> None:
    assert 1.0 - SWAY * PRIOR - 1e-9 <= seen.factor <= 1.0 + SWAY * (1.0 - PRIOR) + 1e-9


@given(SEEN, st.floats(0.5, 100))
def test_more_faults_never_raise_it(seen: ToolExperience, more: float) -> None:
    worse = msgspec.structs.replace(seen, faults=seen.faults + more)
    assert worse.factor <= seen.factor + 1e-12


@given(SEEN, st.floats(0.5, 100))
def test_more_answers_at_once_never_lower_it(seen: ToolExperience, more: float) -> None:
    better = msgspec.structs.replace(seen, answered=seen.answered + more, quick=seen.quick + more)
    assert better.factor >= seen.factor - 1e-12


@given(SEEN, st.floats(0, 1))
def test_slower_answers_never_raise_it(seen: ToolExperience, kept: float) -> None:
    slower = msgspec.structs.replace(seen, quick=kept * seen.quick)
    assert slower.factor <= seen.factor + 1e-12


@given(SEEN, st.floats(0.5, 100))
def test_an_error_is_worth_less_than_a_result_and_more_than_a_fault(seen: ToolExperience, more: float) -> None:
    at_once = seen.quick + more
    result = msgspec.structs.replace(seen, answered=seen.answered + more, quick=at_once)
    error = msgspec.structs.replace(seen, tool_errors=seen.tool_errors + more, quick=at_once)
    refused = msgspec.structs.replace(seen, refused=seen.refused + more, quick=at_once)
    fault = msgspec.structs.replace(seen, faults=seen.faults + more)
    assert result.factor >= error.factor - 1e-12 >= refused.factor - 2e-12 >= fault.factor - 3e-12


@given(SEEN, st.floats(0, 1e9))
def test_time_moves_it_back_to_no_change(seen: ToolExperience, seconds: float) -> None:
    assert abs(seen.faded(seconds).factor - 1.0) <= abs(seen.factor - 1.0) + 1e-9


def test_the_weight_grows_with_the_evidence() -> None:
    factors = [ToolExperience(faults=count).factor for count in (0, 1, 5, 20, 200)]
    assert factors == sorted(factors, reverse=True)
    assert factors[1] > 0.99
    assert factors[-1] < 0.9
