"""What is known of a candidate before anything of it was fetched, as facts that the policy decides by. Pure."""

from __future__ import annotations

from typing import Final

from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.moments import moment

_SURE: Final = 0.6
_DAY: Final = 86_400.0


def known_facts(candidate: Candidate, now: float) -> dict[str, str | bool | float]:
    """Return ``sources``, ``tags``, ``age_days`` and ``downloads``, as far as anybody says; ``now`` since the epoch.

    Tags that are only seen in a description count when they are surer than 0.6.
    """
    tags = {*candidate.tags, *(tag for tag, sure in candidate.capabilities.items() if sure >= _SURE)}
    facts: dict[str, str | bool | float] = {
        "sources": " ".join(sorted({*candidate.sources, *(("catalogue",) if candidate.curated else ())})),
        "tags": " ".join(sorted(tag.replace(" ", "-") for tag in tags)),
    }
    if (published := _moment(candidate.facts.published)) is not None:
        facts["age_days"] = max(0.0, (now - published) / _DAY)
    if candidate.facts.downloads is not None:
        facts["downloads"] = float(candidate.facts.downloads)
    return facts


def _moment(text: str | None) -> float | None:
    """Return a day or a moment in ISO 8601 as seconds since the epoch; ``None`` where it is neither, or a month."""
    found = moment(text)
    return found.timestamp() if found is not None else None
