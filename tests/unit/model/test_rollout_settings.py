"""Stages grow, and end with everything."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from vsm_mcp.model.rollout_settings import RolloutSettings


@pytest.mark.parametrize(
    "given",
    [
        {"stages": []},
        {"stages": [5, 50]},
        {"stages": [50, 5, 100]},
        {"stages": [5, 5, 100]},
        {"stages": [0, 100]},
        {"stages": [5, 101]},
        {"stage_calls": 3},
        {"stage_seconds": -1},
        {"check_seconds": 0},
        {"least_success": 1.5},
        {"most_errors": -0.1},
        {"slower": 0.9},
        {"false_alarms": 0},
        {"enabled": "perhaps"},
        {"shadow": 1},
        {"percent": 5},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, RolloutSettings)


def test_every_field_has_a_bad_value_that_is_tried() -> None:
    (mark,) = [each for each in test_what_cannot_be_is_refused.pytestmark if each.name == "parametrize"]
    tried = {name for given in mark.args[1] for name in given}
    assert tried - {"percent"} == set(RolloutSettings.__struct_fields__)


def test_all_at_once_is_a_ladder_too() -> None:
    assert msgspec.convert({"stages": [100]}, RolloutSettings).stages == (100,)
