"""One reference through the saga: resolve → fetch → vet → build → trial → activate."""

from __future__ import annotations

from vsm_mcp.autopilot.admission.activating import activated
from vsm_mcp.autopilot.admission.order import cleared, expected, ordered
from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.admission.proving import proved
from vsm_mcp.autopilot.outcome import Outcome, Request
from vsm_mcp.autopilot.parts import Parts


async def admit(parts: Parts, request: Request) -> Outcome:
    """Take one reference into service. Expected ends are outcomes; only a cancellation is raised."""
    passage = Passage(parts, request)

    async def way() -> Outcome:
        order = ordered(passage)
        passage.shown = expected(passage, order)
        await cleared(passage, order)
        return await activated(passage, await proved(passage, order))

    return await passage.take(way)
