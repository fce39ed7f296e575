"""``[health]`` of the settings: how servers are watched, and healed."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

CHECKS: Final = ("connectivity", "response_time", "resources", "error_rate", "protocol")
REMEDIES: Final = ("reconnect", "soft_restart", "hard_restart", "full_recovery", "replace")


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[health]``: how servers are watched, and healed."""

    every_seconds: Annotated[
        float, Meta(ge=0, description="How often what runs is looked at, give or take a tenth; 0: never.")
    ] = 30.0
    idle_factor: Annotated[
        float, Meta(ge=1, description="So many times that for a healthy server that nobody has used for as long.")
    ] = 4.0
    checks: Annotated[tuple[str, ...], Meta(description="What is looked at: names of health checks.")] = CHECKS
    doubt_seconds: Annotated[
        float, Meta(gt=0, description="How soon a server is looked at again while something about it fails.")
    ] = 2.0
    failures: Annotated[
        int, Meta(ge=1, description="Looks in a row that a check has to fail, or pass again, before that counts.")
    ] = 3
    answer_seconds: Annotated[float, Meta(gt=0, description="How long a sign of life may take.")] = 5.0
    slow_seconds: Annotated[
        float, Meta(gt=0, description="Where 95 of 100 answers take longer than this, a server is degraded.")
    ] = 10.0
    error_share: Annotated[
        float,
        Meta(
            gt=0,
            lt=1,
            description="The share of calls that may fail by a server's fault; five times it: failing.",
        ),
    ] = 0.1
    resource_share: Annotated[
        float, Meta(gt=0, le=1, description="The share of its memory or open files that a server may use for long.")
    ] = 0.9
    horizon_seconds: Annotated[
        float, Meta(ge=0, description="What grows is told when it reaches its limit within this time; 0: never.")
    ] = 3600.0
    heal: Annotated[bool, Meta(description="Whether what is sick is mended by itself, or only told.")] = True
    remedies: Annotated[
        tuple[str, ...], Meta(description="What is tried, rung by rung, before a person is called.")
    ] = REMEDIES
    backoff_seconds: Annotated[
        float, Meta(gt=0, description="How long a remedy is given before the next one; doubled with each.")
    ] = 1.0
    longest_backoff_seconds: Annotated[float, Meta(gt=0, description="The longest that this gets.")] = 60.0
    lasting_seconds: Annotated[
        float, Meta(gt=0, description="For how long a server has to be well before what was tried is forgotten.")
    ] = 300.0
    knock_seconds: Annotated[
        float, Meta(ge=0, description="How often a server is tried again that no remedy mended; 0: never.")
    ] = 900.0
    degraded_weight: Annotated[
        float,
        Meta(ge=0, le=1, description="How much of its traffic a degraded server keeps where others can take it."),
    ] = 0.5
    restarts_per_minute: Annotated[
        float, Meta(gt=0, description="How many servers are restarted by themselves in a minute, in the long run.")
    ] = 120.0
    restarts_at_once: Annotated[int, Meta(ge=1, description="How many of them at once.")] = 30
