"""``[health]`` of the settings: how servers are watched, and healed."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[health]``: how servers are watched, and healed."""

    every_seconds: Annotated[
        float, Meta(ge=0, description="How often what runs is looked at, give or take a tenth; 0: never.")
    ] = 30.0
