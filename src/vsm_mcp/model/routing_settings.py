"""``[routing]`` of the settings: which target takes a call, and what follows when it fails."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

FAILOVERS: Final = ("off", "read-only", "same-effects")


class RoutingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[routing]``: which target takes a call, and what follows when it fails."""

    retries: Annotated[
        int,
        Meta(
            ge=0,
            le=5,
            description="How often a call is made again, within its own time, whose connection broke: one that cannot"
            " have reached its server, and one of a tool that declares `readOnlyHint` or `idempotentHint`.",
        ),
    ] = 2
    failover: Annotated[
        str,
        Meta(
            description="What happens to a call that its server cannot answer: `off`; `read-only`: a tool of another"
            " server that does the same answers in its place, if both only read; `same-effects`: if its effects are"
            " none that the other one has not, also where it writes and the call cannot have reached its server."
        ),
    ] = "read-only"
    failover_deny: Annotated[
        tuple[str, ...],
        Meta(description="Tools (`SERVER__TOOL`, with `*` and `?`) that nothing stands in for, nor they for others."),
    ] = ()
    affinity: Annotated[
        bool,
        Meta(description="Whether a client's calls keep going to the same of several replicas while that is well."),
    ] = True
    breakers: Annotated[
        bool, Meta(description="Whether a server, or a tool, whose calls fail is left alone for a while.")
    ] = True
    breaker_window_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="The time within which failures are counted together.")
    ] = 30.0
    breaker_calls: Annotated[
        int, Meta(ge=1, le=10_000, description="So many calls in that time before their rate of failure counts.")
    ] = 10
    breaker_error_rate: Annotated[
        float, Meta(gt=0, le=1, description="The rate of failure at which a breaker opens.")
    ] = 0.5
    breaker_in_a_row: Annotated[
        int, Meta(ge=1, le=1000, description="So many failures in a row open it whatever the rate.")
    ] = 5
    breaker_open_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="How long it stays open; twice as long each time it opens again.")
    ] = 1.0
    breaker_longest_seconds: Annotated[float, Meta(gt=0, le=86_400, description="How long it stays open at most.")] = (
        60.0
    )
    cache_seconds: Annotated[
        float,
        Meta(ge=0, le=86_400, description="How long results of the tools in `cache_tools` are kept; 0: not at all."),
    ] = 0.0
    cache_bytes: Annotated[
        int, Meta(ge=0, description="What is kept in all, in bytes; what was asked for longest ago gives way.")
    ] = 16 * 1024 * 1024
    cache_tools: Annotated[
        tuple[str, ...],
        Meta(
            description="Tools (`SERVER__TOOL`, with `*` and `?`) whose results may be kept, each for who asked: those"
            " of them that declare `readOnlyHint` or `idempotentHint`, of servers that keep no state for each client."
        ),
    ] = ()
