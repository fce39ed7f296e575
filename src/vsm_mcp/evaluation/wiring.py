"""The criteria put together from their entry points."""

from __future__ import annotations

from vsm_mcp import plugins
from vsm_mcp.evaluation.criterion import Criterion


def build_criteria() -> list[Criterion]:
    """Return every registered criterion, ordered by name. Raises :class:`ConfigError` for one that cannot be loaded."""
    return [build() for build in plugins.load("criteria").values()]
