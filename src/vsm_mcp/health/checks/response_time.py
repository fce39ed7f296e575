"""How long it takes to answer: 95 of 100 calls, or where there were none, our question."""

from __future__ import annotations

from vsm_mcp.health.check import Reading, Subject, unavailable
from vsm_mcp.health.traffic import quantile
from vsm_mcp.model.finding import CheckStatus


class ResponseTime:
    """A :class:`~vsm_mcp.health.check.HealthCheck`."""

    async def look(self, subject: Subject) -> Reading:
        """Return the 95th percentile of the calls since the last look, or how long the answer to our question took.

        What takes no answer at all is not slow: that is :mod:`connectivity`'s.
        """
        traffic, limit = subject.traffic, subject.settings.slow_seconds
        seconds = quantile(traffic.buckets, subject.bounds_seconds, 0.95)
        basis, looked_at = "calls", round(traffic.answered)
        if seconds is None:
            health = await subject.ask()
            if not health.ok:
                return unavailable("nothing was answered")
            seconds, basis, looked_at = health.seconds, "question", 1
        slow = seconds > limit
        return Reading(
            status=CheckStatus.FAIL if slow else CheckStatus.PASS,
            value=seconds,
            unit="s",
            limit=limit,
            looked_at=looked_at,
            detail=f"95 of 100 answers within {seconds:.3g} s" + (f", {limit:g} s may be" if slow else ""),
            basis=basis,
            ageing=True,
        )
