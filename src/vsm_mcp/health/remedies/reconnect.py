"""The first rung of what runs elsewhere: drop the conversation and open another one."""

from __future__ import annotations

from vsm_mcp.health.remedy import Done, Patient, Ward
from vsm_mcp.model.action import ActionKind


class Reconnect:
    """A :class:`~vsm_mcp.health.remedy.Remedy`. The other side may be away for a while: it is tried more than once."""

    kind = ActionKind.RESTART
    tries = 6
    starts = False
    gentle = False

    def applies(self, patient: Patient) -> bool:
        """Only a conversation can be opened again without a process; with one, that has to be started anew."""
        return patient.remote and not patient.personal

    async def apply(self, patient: Patient, ward: Ward) -> Done:
        """Shake hands again."""
        await ward.change_over(patient.name, "its connection is opened again", patience=0.0)
        return Done("shook hands again")
