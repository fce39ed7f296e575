"""What holds one program and everything it started: the part that differs between a sandbox and none."""

from __future__ import annotations

from typing import Protocol

from vsm_mcp.sandbox.confinement import Confinement


class Scope(Protocol):
    """Everything that belongs to one program."""

    @property
    def pid(self) -> int:
        """The program's own process id on this machine."""
        ...

    def processes(self) -> list[int]:
        """Return the ids of all processes that belong to the program."""
        ...

    def end(self) -> None:
        """Kill all of it, at once."""
        ...

    def out_of_memory(self) -> bool:
        """Whether something of it was killed at its memory limit."""
        ...

    def exceeded(self) -> str:
        """Return the limit beside memory that it was ended for, ``processes`` or ``scratch``; "" for none."""
        ...

    def peak_memory(self) -> int | None:
        """Return the most bytes it held at once, as far as anybody counted."""
        ...

    def adapt(self, confinement: Confinement) -> bool:
        """Take on other limits of memory, processes and open files while it runs.

        False where that cannot be done: then it has to be started anew for them.
        """
        ...

    def limit_cpu(self, cpus: float) -> None:
        """Allow so many cores from now on, where that can be limited; 0: no limit. Raises :class:`OSError`."""
        ...

    async def settle(self) -> None:
        """Make sure that nothing is left once the direct child has ended, and give back what was taken."""
        ...
