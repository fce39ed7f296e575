"""Which share of the calls fails by the server's own fault."""

from __future__ import annotations

from typing import Final

from vsm_mcp.health.check import Condition, Reading, Subject, unavailable
from vsm_mcp.health.traffic import surely_above
from vsm_mcp.model.finding import CheckStatus

_LEAST_CALLS: Final = 4.5  # five, some of which are a little ago
_FAILING: Final = 5.0


class ErrorRate:
    """A :class:`~vsm_mcp.health.check.HealthCheck`."""

    async def look(self, subject: Subject) -> Reading:
        """Return the share of faults among recent calls; it fails where that is surely more than may be.

        A tool's own error (``isError``) and a refusal are answers, never faults.
        """
        recent, limit = subject.recent, subject.settings.error_share
        if recent.calls < _LEAST_CALLS:
            return unavailable("too few calls to tell")
        share, sure = recent.faults / recent.calls, surely_above(recent.faults, recent.calls)
        return Reading(
            status=CheckStatus.FAIL if sure > limit else CheckStatus.PASS,
            value=share,
            unit="share",
            limit=limit,
            looked_at=round(recent.calls),
            detail=f"{share:.0%} of {recent.calls:.0f} recent calls failed by its fault",
            basis="calls",
            severity=Condition.FAILING if sure > _FAILING * limit else Condition.DEGRADED,
        )
