"""A span as it is recorded: one call of a server, from its request to its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vsm_mcp.model.trace_context import TraceContext


class Span(NamedTuple):
    """One call that is over; times in nanoseconds since the epoch. ``failed``: its status is an error."""

    name: str
    context: TraceContext
    parent: TraceContext | None
    began: int
    ended: int
    attributes: Mapping[str, str]
    failed: bool
