"""Whether it answers: calls say so, and where there were none, it is asked."""

from __future__ import annotations

from vsm_mcp.health.check import Condition, Reading, Subject
from vsm_mcp.model.finding import CheckStatus


class Connectivity:
    """A :class:`~vsm_mcp.health.check.HealthCheck`."""

    async def look(self, subject: Subject) -> Reading:
        """Return whether it gave a sign of life.

        One that leaves our question unanswered while it works on calls may just be busy: there is nothing to be said
        then, until a call is lost as well.
        """
        if (answered := subject.traffic.answered) and not subject.traffic.lost:
            return Reading(status=CheckStatus.PASS, looked_at=round(answered), detail="answers calls", basis="calls")
        health = await subject.ask()
        if health.ok:
            return Reading(status=CheckStatus.PASS, looked_at=1, detail=health.detail, basis="question")
        busy = subject.in_flight and not subject.unanswered
        return Reading(
            status=CheckStatus.UNAVAILABLE if busy else CheckStatus.FAIL,
            looked_at=1,
            detail=f"busy with {subject.in_flight} calls: {health.detail}" if busy else health.detail,
            basis="question",
            severity=Condition.FAILING,
        )
