"""``[telemetry]`` of the settings: metrics and traces for other programs."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[telemetry]``: metrics and traces for other programs."""

    metrics: Annotated[bool, Meta(description="Whether the endpoint answers `/metrics` (Prometheus).")] = True
