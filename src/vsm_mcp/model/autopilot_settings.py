"""``[autopilot]`` of the settings: the loop that closes gaps by itself, as far as `[policy]` lets it."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

_GIB: Final = 1024 * 1024 * 1024


class AutopilotSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[autopilot]``: the loop that closes gaps by itself, as far as `[policy]` lets it."""

    every_seconds: Annotated[float, Meta(ge=0, description="How often gaps are looked at; 0: never.")] = 300.0
    needs: Annotated[
        tuple[str, ...], Meta(description="Needs that shall be met whether anybody asks or not, in plain words.")
    ] = ()
    window_days: Annotated[float, Meta(ge=0, description="How long a need counts after it was seen last.")] = 30.0
    least_count: Annotated[
        int, Meta(ge=1, description="How often a need is seen before the autopilot does something about it.")
    ] = 2
    installs_per_day: Annotated[
        int, Meta(ge=0, description="The most servers it takes in within 24 hours; 0: none, it only shows gaps.")
    ] = 3
    disk_bytes_per_day: Annotated[int, Meta(ge=0, description="What these may take on disk.")] = 2 * _GIB
    memory_bytes_per_day: Annotated[
        int, Meta(ge=0, description="The sum of the memory that these may come to use ([sandbox] memory_bytes each).")
    ] = 2 * _GIB
    tokens_per_day: Annotated[
        int, Meta(ge=0, description="Tokens of a language model it may use, where [discovery.research] has one.")
    ] = 100_000
    cooldown_seconds: Annotated[
        float, Meta(ge=0, description="The wait after an attempt that failed; it doubles, up to 30 days.")
    ] = 3600.0
    unused_days: Annotated[
        float, Meta(ge=0, description="How long nobody uses or needs a server before it gets notice; 0: never.")
    ] = 30.0
    notice_days: Annotated[
        float, Meta(ge=0, description="How long the notice stands before the server is retired.")
    ] = 7.0
    rest_days: Annotated[
        float, Meta(ge=0, description="How long what was retired comes back only for as much demand as a new gap.")
    ] = 30.0
    failing_seconds: Annotated[
        float, Meta(ge=0, description="How long a server keeps failing before another is sought; 0: none is.")
    ] = 900.0
