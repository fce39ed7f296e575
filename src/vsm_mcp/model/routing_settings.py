"""``[routing]`` of the settings: which target takes a call, and what follows when it fails."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class RoutingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[routing]``: which target takes a call, and what follows when it fails."""

    failover: Annotated[
        bool,
        Meta(description="Whether a call that could not be answered goes to another server of the same capability."),
    ] = True
