"""How one run of a process ended by itself."""

from __future__ import annotations

import time

import msgspec

from vsm_mcp.errors import LoginNeeded, ServerDown, UsageError, VsmError
from vsm_mcp.runtime.status import Crash, crash_of
from vsm_mcp.sandbox.confinement import Exit


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How one run ended by itself: a clause for a person, and what is known; ``lasted`` is for how long it was up."""

    reason: str
    error: VsmError | None = None
    exit: Exit | None = None
    ready: bool = False
    lasted: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.exit is not None and self.exit.ok

    @property
    def personal(self) -> bool:
        """Whether only a person can mend it: what was given is wrong, and stays wrong; or is still to be given."""
        cause = self.error.cause if isinstance(self.error, ServerDown) else None
        return isinstance(self.error, UsageError) or (cause is not None and cause.code == LoginNeeded.code)

    def crash(self, stderr: tuple[str, ...]) -> Crash:
        """Return what is kept of it."""
        cause = str(getattr(getattr(self.error, "cause", None), "code", ""))
        return crash_of(self.reason, self.exit, at=time.time(), ready=self.ready, cause=cause, stderr=stderr)
