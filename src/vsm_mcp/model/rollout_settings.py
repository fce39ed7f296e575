"""``[rollout]`` of the settings: how newcomers get their share of the traffic."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[rollout]``: how newcomers get their share of the traffic."""

    stages: Annotated[
        tuple[int, ...], Meta(description="The share of the calls that a newcomer gets, stage by stage, in percent.")
    ] = (5, 15, 30, 50, 75, 100)
