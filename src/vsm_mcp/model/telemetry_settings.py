"""``[telemetry]`` of the settings: metrics, events and traces for other programs."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[telemetry]``: metrics, events and traces for other programs."""

    metrics: Annotated[bool, Meta(description="Whether the endpoint answers `/metrics` (Prometheus).")] = True
    metrics_public: Annotated[
        bool, Meta(description="Whether `/metrics` needs no key where the endpoint asks for one.")
    ] = False
    metric_tools: Annotated[
        int, Meta(description="The most tools with series of their own; what comes later is counted of its server.")
    ] = 1000
    events: Annotated[bool, Meta(description="Whether the endpoint answers `/v1/events`.")] = True
    events_kept: Annotated[int, Meta(ge=1, description="How many events are kept for readers that come back.")] = 1000
    otlp_endpoint: Annotated[
        str, Meta(description="Where OpenTelemetry traces and metrics go, over OTLP/HTTP: `http://localhost:4318`.")
    ] = ""
    otlp_seconds: Annotated[float, Meta(gt=0, description="How often metrics go there.")] = 60.0
    trace_ratio: Annotated[
        float, Meta(ge=0, le=1, description="The part of calls that are traced where their caller has not decided.")
    ] = 1.0
