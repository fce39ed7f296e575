"""The second rung: let calls in flight end, ask the process to end, and start another one."""

from __future__ import annotations

from vsm_mcp.errors import ServerDown
from vsm_mcp.health.remedy import Done, Patient, Ward
from vsm_mcp.model.action import ActionKind
from vsm_mcp.runtime.process import Instance


class SoftRestart:
    """A :class:`~vsm_mcp.health.remedy.Remedy`. A process that does not end when it is asked to stays as it is."""

    kind = ActionKind.RESTART
    tries = 1
    starts = True
    gentle = True

    def applies(self, patient: Patient) -> bool:
        """Only what runs can be asked."""
        return patient.running and not patient.remote

    async def apply(self, patient: Patient, ward: Ward) -> Done:
        """Drain, ask (SIGTERM), start."""
        await ward.change_over(patient.name, "it is restarted to mend it", asked)
        return Done("ended when it was asked to, and was started again")


async def asked(instance: Instance) -> None:
    """Ask a process to end. Raises :class:`ServerDown` where it does not."""
    if not await instance.ask():
        raise ServerDown("it does not end when it is asked to", "it is killed next")
