"""The third rung: kill all of it at once, and start another process."""

from __future__ import annotations

from vsm_mcp.health.remedy import Done, Patient, Ward
from vsm_mcp.model.action import ActionKind
from vsm_mcp.runtime.process import Instance


class HardRestart:
    """A :class:`~vsm_mcp.health.remedy.Remedy`. Calls in flight are lost: it does not answer them anyway."""

    kind = ActionKind.RESTART
    tries = 1
    starts = True
    gentle = False

    def applies(self, patient: Patient) -> bool:
        """One that was given up has been started again often enough."""
        return patient.running and not patient.remote

    async def apply(self, patient: Patient, ward: Ward) -> Done:
        """Kill, start."""
        await ward.change_over(patient.name, "it is killed to mend it", killed, 0.0)
        return Done("was killed and started again")


async def killed(instance: Instance) -> None:
    """Kill a process and all that belongs to it."""
    await instance.kill()
