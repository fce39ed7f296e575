"""``[rollout]`` of the settings: how newcomers get their share of the traffic."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta

_Rate = Annotated[float, Meta(ge=0, le=1)]


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[rollout]``: how newcomers get their share of the traffic."""

    enabled: Annotated[
        bool,
        Meta(description="Whether a new version of a server in service takes its calls by stages; else all at once."),
    ] = True
    stages: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=100)], ...],
        Meta(
            description="The share of the calls that a newcomer gets, stage by stage, in percent; the last is 100.",
            min_length=1,
        ),
    ] = (5, 15, 30, 50, 75, 100)
    stage_seconds: Annotated[float, Meta(ge=0, description="How long each stage lasts at least.")] = 300.0
    stage_calls: Annotated[
        int, Meta(ge=10, description="How many calls the newcomer has to take in each stage before the next.")
    ] = 50
    check_seconds: Annotated[float, Meta(ge=0.05, description="How often a rollout is looked at.")] = 2.0
    least_success: Annotated[
        _Rate, Meta(description="The share of calls that must be answered, whatever the answer says, to go on.")
    ] = 0.95
    most_errors: Annotated[
        _Rate, Meta(description="The share of calls at most that may end in any error, those of tools too, to go on.")
    ] = 0.1
    slower: Annotated[
        float, Meta(ge=1, description="How many times as slow as the incumbent a newcomer may be without harm.")
    ] = 1.25
    false_alarms: Annotated[
        float,
        Meta(gt=0, le=0.5, description="How likely at most a newcomer as good as the incumbent is rolled back."),
    ] = 0.05
    shadow: Annotated[
        bool,
        Meta(
            description="Whether a newcomer first gets copies of the calls of read-only tools; the answers are"
            " compared, and served to nobody."
        ),
    ] = False

    def __post_init__(self) -> None:
        """Raise :class:`ValueError` for stages that do not grow, or do not end with everything."""
        if any(after <= before for before, after in pairwise(self.stages)) or self.stages[-1] != 100:
            raise ValueError("stages grow from one to the next, and the last is 100")
