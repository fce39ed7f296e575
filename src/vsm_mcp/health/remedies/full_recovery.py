"""The fourth rung: its files may be damaged, so what was locked is installed again beside them, and started."""

from __future__ import annotations

from vsm_mcp.health.remedy import Done, Patient, Ward
from vsm_mcp.model.action import ActionKind


class FullRecovery:
    """A :class:`~vsm_mcp.health.remedy.Remedy`."""

    kind = ActionKind.REINSTALL
    tries = 1
    starts = True
    gentle = False

    def applies(self, patient: Patient) -> bool:
        """What runs elsewhere, and a program of this machine, were not installed by us."""
        return patient.installed and not patient.personal

    async def apply(self, patient: Patient, ward: Ward) -> Done:
        """Install, vet, try, compare with the lock, change over."""
        return Done(await ward.reinstall(patient.name))
