"""The fifth rung: others that can do the same do its work until it is well again."""

from __future__ import annotations

from vsm_mcp.health.remedy import Done, Patient, Ward
from vsm_mcp.model.action import ActionKind


class Replace:
    """A :class:`~vsm_mcp.health.remedy.Remedy`. It keeps its name and its tools; its calls are answered by others."""

    kind = ActionKind.REPLACE
    tries = 1
    starts = False
    gentle = False

    def applies(self, patient: Patient) -> bool:
        """Whatever is wrong with it."""
        return True

    async def apply(self, patient: Patient, ward: Ward) -> Done:
        """Find who can, and send them its calls."""
        others = await ward.replace(patient.name)
        return Done(f"its work is done by {', '.join(others)}", renews=False, stands_in=others)
