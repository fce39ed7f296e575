"""What would mend a trial that failed for a known cause: one set of constraints after the other, each once."""

from __future__ import annotations

import msgspec

from vsm_mcp.autopilot import expected
from vsm_mcp.events import Emit, RemedyApplied
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.trial import TrialReport


class Mending:
    """The remedies of one acquisition. What is ``locked`` is not mended, for it would be something else."""

    def __init__(self, acquisition: str, emit: Emit, locked: LockedServer | None = None) -> None:
        self._acquisition = acquisition
        self._emit = emit
        self._locked = locked
        self._tried: set[tuple[str, ...]] = set()

    def after(self, report: TrialReport) -> tuple[str, ...]:
        """Return the constraints to install with again, and say so; empty where it passed, or nothing is left."""
        remedies = () if report.passed else expected.remedies(self._locked, report)
        constraints = next((each for each in remedies if each not in self._tried), ())
        if constraints and report.cause is not None:
            self._tried.add(constraints)
            why = report.cause.message
            self._emit(RemedyApplied(acquisition=self._acquisition, remedy=" ".join(constraints), reason=why))
        return constraints

    def told(self, report: TrialReport) -> TrialReport:
        """Return a report; where it failed for what was to be mended, its hint says what was tried."""
        cause = report.cause
        if cause is None or not cause.remedies or not self._tried:
            return report
        tried = " and with ".join(" ".join(each) for each in sorted(self._tried, key=len))
        hint = f"it was installed with {tried}, too, and failed likewise; try another version or another server"
        return msgspec.structs.replace(report, cause=msgspec.structs.replace(cause, hint=hint))
