"""Whether what it says is MCP, and what it offers is what was approved."""

from __future__ import annotations

from typing import Final

from vsm_mcp.health.check import Reading, Subject
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.finding import CheckStatus

_CHATTER: Final = 10


class ProtocolUse:
    """A :class:`~vsm_mcp.health.check.HealthCheck`."""

    async def look(self, subject: Subject) -> Reading:
        """Return how often it broke the protocol since the last look: answers that are none, lines that are junk.

        Items that differ from what was approved are frozen at once, and told here as well. Many good servers log to
        stdout: that counts where there is more of it than of answers.
        """
        spoilt = subject.traffic.of(Ending.PROTOCOL)
        chatter = _CHATTER + subject.traffic.answered
        wrong = {
            "answers were no MCP": round(spoilt),
            "lines on stdout were no messages": subject.junk if subject.junk > chatter else 0,
            "items are not as they were approved": subject.differing,
        }
        said = [f"{count} {what}" for what, count in wrong.items() if count]
        return Reading(
            status=CheckStatus.FAIL if said else CheckStatus.PASS,
            value=float(sum(wrong.values())),
            unit="count",
            looked_at=max(round(subject.traffic.answered + spoilt), 1),
            detail=", ".join(said) or "as the protocol says",
        )
