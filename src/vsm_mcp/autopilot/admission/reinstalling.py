"""The same version once more: installed beside the damaged one exactly as it was locked, tried, and put in its place.

It is the saga of every admission, so that a kill at any point leaves the one or the other. Who could go back to an
earlier version before can do so afterwards.
"""

from __future__ import annotations

import msgspec

from vsm_mcp.autopilot.admission.activating import committed
from vsm_mcp.autopilot.admission.order import expected, ordered_again, recorded
from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.admission.proving import proved
from vsm_mcp.autopilot.outcome import Outcome, Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.server import Server
from vsm_mcp.routing.names import exposed

_KEPT = (
    *("settings", "args", "env", "way", "enabled", "tags", "description", "origin"),
    *("observed_stateful", "keeps_home"),
)


async def reinstall(parts: Parts, request: Request, server: Server) -> Outcome:
    """Install ``request.locked`` again for a server; the outcome is ``served``, ``rejected`` or ``failed``.

    ``request`` names the server, and holds its settings and secrets as they are. Nothing else than what was locked
    comes in: another archive, tree, definition or finding is refused. Only a cancellation is raised.
    """
    passage = Passage(parts, request)

    async def way() -> Outcome:
        order = ordered_again(server, request.settings)
        passage.shown = expected(passage, order)
        await recorded(passage, order)
        proof = await proved(passage, order)
        report = proof.report
        kept = {name: getattr(server, name) for name in _KEPT}
        again = msgspec.structs.replace(proof.server, era=report.era, transport=report.transport, **kept)
        admitted = await committed(passage, again, report.offer, request.settings.secrets, keeps=False)
        return Outcome(
            outcome="served",
            ref=str(admitted.ref),
            evidence=passage.id,
            server=admitted.name,
            version=admitted.version,
            tier=report.tier,
            tools=tuple(exposed(admitted.name, item.name) for item in report.offer.of(ItemKind.TOOL)),
            warnings=proof.notes,
            plan=passage.shown,
            admitted=admitted,
        )

    return await passage.take(way)
