"""How near it is to its limits of memory and open files."""

from __future__ import annotations

from vsm_mcp.health.check import Reading, Subject, unavailable
from vsm_mcp.model.finding import CheckStatus


class ResourceUse:
    """A :class:`~vsm_mcp.health.check.HealthCheck`."""

    async def look(self, subject: Subject) -> Reading:
        """Return the greatest share of a limit that its processes use. CPU is throttled, and no reason for alarm."""
        usage, bounds = subject.usage, subject.bounds
        if usage is None:
            return unavailable("it has no process here")
        shares = {
            "memory": usage.rss_bytes / bounds.memory_bytes if bounds.memory_bytes else None,
            "open files": usage.open_files / bounds.open_files if bounds.open_files and usage.open_files else None,
        }
        known = {name: share for name, share in shares.items() if share is not None}
        if not known:
            return unavailable("nothing limits it")
        name = max(known, key=known.__getitem__)
        share, limit = known[name], subject.settings.resource_share
        return Reading(
            status=CheckStatus.FAIL if share > limit else CheckStatus.PASS,
            value=share,
            unit="share",
            limit=limit,
            looked_at=usage.processes,
            detail=f"{name}: {share:.0%} of what it may have",
            basis=name,
            ageing=True,
        )
