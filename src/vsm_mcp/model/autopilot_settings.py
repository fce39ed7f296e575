"""``[autopilot]`` of the settings: the loop that closes gaps by itself, as far as `[policy]` lets it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class AutopilotSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[autopilot]``: the loop that closes gaps by itself, as far as `[policy]` lets it."""

    every_seconds: Annotated[float, Meta(ge=0, description="How often gaps are looked at; 0: never.")] = 300.0
