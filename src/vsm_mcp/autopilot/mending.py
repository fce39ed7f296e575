"""What would mend a trial that failed for a known cause: one way of trying again after the other, each once."""

from __future__ import annotations

from typing import Final

import msgspec

from vsm_mcp.autopilot import expected
from vsm_mcp.events import Emit, RemedyApplied
from vsm_mcp.install.installer import extra_of
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.ref import Ref, RefKind, normalise_pypi
from vsm_mcp.model.trial import AS_RELEASED, COMMAND, Cause, Retry, TrialReport

_RELEASED: Final = frozenset({RefKind.NPM, RefKind.PYPI})
"""Kinds of which a registry tells when a version was released."""
_IMPORTING: Final = frozenset({"broken_entry", "missing_dependency", "incompatible_dependency", "python_sdk_2"})
"""Causes that say that other dependencies led nowhere."""
_NO_FURTHER: Final = _IMPORTING | frozenset(
    ("protocol", "hung", "not_listening", "not_a_server", "bad_arg", "missing_arg", "crashed", "port_in_use")
)
"""Causes that say that another way of starting led nowhere; any other is what it lacks once it got further."""


_OTHER: Final = "try another version or another server"


class Mending:
    """The remedies of one acquisition. What is ``locked`` is not mended, for it would be something else."""

    def __init__(self, acquisition: str, emit: Emit, ref: Ref, locked: LockedServer | None = None) -> None:
        self._acquisition = acquisition
        self._emit = emit
        self._ref = ref
        self._locked = locked
        self._first: Cause | None = None
        self._known: list[Retry] = []
        self._tried: list[Retry] = []

    def after(self, report: TrialReport) -> Retry | None:
        """Return how to try again, and say so; ``None`` where it passed, or nothing is left.

        What an earlier failure suggested is still tried while none got it any further.
        """
        cause = report.cause
        if report.passed or cause is None:
            return None
        self._first = self._first or cause
        ahead = self._got_further(cause)
        own = [self._deeper(each, cause) for each in expected.remedies(self._locked, report) if self._fits(each)]
        self._known = own + ([] if ahead else self._known)
        found = next((each for each in self._known if each not in self._tried), None)
        if found is not None:
            self._tried.append(found)
            self._emit(RemedyApplied(acquisition=self._acquisition, remedy=str(found), reason=cause.message))
        return found

    def _got_further(self, cause: Cause) -> bool:
        """Whether what was tried last changed what it fails for."""
        if not self._tried:
            return False
        return cause.code not in (_IMPORTING if self._tried[-1].constraints else _NO_FURTHER)

    def _deeper(self, retry: Retry, cause: Cause) -> Retry:
        """Return a command under the one that was tried last, where that wants to be told which of its own to run."""
        above = self._tried[-1].arguments if self._tried else ()
        if cause.inputs != COMMAND or not above or not retry.arguments or retry.arguments[0] in above:
            return retry
        return msgspec.structs.replace(retry, arguments=(*above, *retry.arguments))

    def _fits(self, retry: Retry) -> bool:
        """Whether a way is one for this package: a registry has dates, a Python package extras of its own."""
        asked = [found for each in retry.constraints if (found := extra_of(each)) is not None]
        if asked:
            own = {"", normalise_pypi(self._ref.name)}
            return self._ref.kind is RefKind.PYPI and all(normalise_pypi(name) in own for name, _ in asked)
        return AS_RELEASED not in retry.constraints or self._ref.kind in _RELEASED

    def told(self, report: TrialReport) -> TrialReport:
        """Return a report; where nothing that was tried got it further, with its first cause and what was tried."""
        if report.cause is None or self._first is None or not self._tried or self._got_further(report.cause):
            return report
        cause = self._first
        otherwise = (any(each.arguments or each.listens for each in self._tried) and cause.hint) or _OTHER
        tried = ", with ".join(map(str, self._tried))
        hint = f"it was tried again with {tried}, and failed, too; {otherwise}"
        return msgspec.structs.replace(report, cause=msgspec.structs.replace(cause, hint=hint))
