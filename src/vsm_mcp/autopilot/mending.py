"""What would mend a trial that failed for a known cause: one way of trying again after the other, each once."""

from __future__ import annotations

import contextlib
from typing import Final, Protocol

import msgspec

from vsm_mcp.autopilot import expected
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Emit, RemedyApplied
from vsm_mcp.install.installer import Resolved, bounds, extra_of
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.ref import Ref, RefKind, normalise_pypi
from vsm_mcp.model.retry import AS_RELEASED, COMMAND, Retry
from vsm_mcp.model.trial import Cause, TrialReport

MOST: Final = 6
"""So many ways are tried: what a program prints decides which there are."""
_RELEASED: Final = frozenset({RefKind.NPM, RefKind.PYPI})
"""Kinds of which a registry tells when a version was released."""
_PYTHON: Final = frozenset({RefKind.PYPI, RefKind.GIT, RefKind.DIR, RefKind.MCPB})
"""Kinds whose dependencies can be bound as Python's are."""
_ELSEWHERE: Final = frozenset({RefKind.OCI, RefKind.REMOTE})
"""Kinds that cannot be had listen on a port."""
_IMPORTING: Final = frozenset({"broken_entry", "missing_dependency", "incompatible_dependency", "python_sdk_2"})
"""Causes that say that other dependencies led nowhere."""
_NO_FURTHER: Final = _IMPORTING | frozenset(
    ("protocol", "hung", "not_listening", "not_a_server", "bad_arg", "missing_arg", "crashed", "port_in_use")
)
"""Causes that say that another way of starting led nowhere; any other is what it lacks once it got further."""
_AS_ORDERED: Final = Retry()
_OTHER: Final = "try another version or another server"


class Attempt(Protocol):
    """One version as it is installed and started now, both of which can be otherwise."""

    @property
    def resolved(self) -> Resolved:
        """What is installed."""

    async def tried(self) -> TrialReport:
        """Try it."""

    async def noted(self, retry: Retry, cause: Cause | None) -> None:
        """Keep as evidence what is tried next, and why."""

    async def start(self, retry: Retry) -> None:
        """Have it started in this way from now on."""

    async def resolve(self, constraints: tuple[str, ...]) -> Resolved:
        """Find out what would be installed with constraints. Raises :class:`VsmError`."""

    async def install(self, found: Resolved) -> None:
        """Install it in place of what is there. Raises :class:`VsmError`: then nothing is there."""


class Mending:
    """The remedies of one acquisition. What is ``locked`` is not mended, for it would be something else.

    ``sockets`` says whether a server can listen on a port within its sandbox, ``way`` how it is started at first.
    """

    def __init__(
        self,
        acquisition: str,
        emit: Emit,
        ref: Ref,
        locked: LockedServer | None = None,
        *,
        sockets: bool = True,
        way: Retry = _AS_ORDERED,
    ) -> None:
        self._acquisition = acquisition
        self._emit = emit
        self._ref = ref
        self._locked = locked
        self._sockets = sockets
        self._way = way
        self._first: Cause | None = None
        self._report: TrialReport | None = None
        self._ahead = False
        self._known: list[Retry] = []
        self._taken: list[Retry] = []
        self._tried: list[Retry] = []

    async def tried(self, attempt: Attempt) -> TrialReport:
        """Try it, in one way after the other while it fails; return the last report, as it is to be told."""
        report = await attempt.tried()
        while (retry := self.after(report)) is not None:
            await attempt.noted(retry, report.cause)
            if not retry.constraints:
                await attempt.start(retry)
            elif (found := await self._otherwise(attempt, retry.constraints)) is None:
                continue
            else:
                try:
                    await attempt.install(found)
                except VsmError:
                    break
            report = await attempt.tried()
        return self.told(report)

    async def _otherwise(self, attempt: Attempt, constraints: tuple[str, ...]) -> Resolved | None:
        """Return what to install with constraints; ``None`` where that cannot be had, or comes to the same."""
        with contextlib.suppress(VsmError):
            found = await attempt.resolve(constraints)
            if not same_tree(attempt.resolved, found):
                return found
        self.missed()
        return None

    def after(self, report: TrialReport) -> Retry | None:
        """Return how to try again, and say so; ``None`` where it passed, or nothing is left.

        What an earlier failure suggested is still tried while none got it any further.
        """
        cause = report.cause
        if report.passed or cause is None:
            return None
        self._first = self._first or cause
        if report is not self._report:
            self._ahead = self._got_further(cause)
            self._report = report
            self._first = cause if self._ahead else self._first
            own = [self._on(each, cause) for each in expected.remedies(self._locked, report) if self._fits(each)]
            self._known = own + ([] if self._ahead else self._known)
        left = self._known if len(self._taken) < MOST else []
        found = next((each for each in left if each not in self._taken), None)
        if found is not None:
            self._taken.append(found)
            self._tried.append(found)
            self._emit(RemedyApplied(acquisition=self._acquisition, remedy=str(found), reason=cause.message))
        return found

    def missed(self) -> None:
        """Note that what was returned last could not be had, or comes to the same as before: it was not tried."""
        self._tried.pop()

    def told(self, report: TrialReport) -> TrialReport:
        """Return a report; where nothing that was tried got it further, with its first cause and what was tried."""
        if report.passed or report.cause is None or self._first is None or not self._tried or self._ahead:
            return report
        otherwise = any(each.arguments or each.listens for each in self._tried) and self._first.hint
        tried = ", with ".join(map(str, self._tried))
        hint = f"it was tried again with {tried}, and failed, too; {otherwise or _OTHER}"
        return msgspec.structs.replace(report, cause=msgspec.structs.replace(self._first, hint=hint))

    def _got_further(self, cause: Cause) -> bool:
        """Whether what was tried last changed what it fails for."""
        before = self._report.cause if self._report is not None else None
        if not self._tried or before is None or (cause.code, cause.message) == (before.code, before.message):
            return False
        return cause.code not in (_IMPORTING if self._tried[-1].constraints else _NO_FURTHER)

    def _on(self, retry: Retry, cause: Cause) -> Retry:
        """Return a way with what the failure that suggests it had already.

        That is the extras it was installed with, the arguments it was started with where it listens then, and the
        command above one that wants to be told which of its own to run.
        """
        bound = next((each.constraints for each in reversed(self._tried) if each.constraints), ())
        started = next((each for each in reversed(self._tried) if not each.constraints), self._way).arguments
        if retry.constraints:
            asked = tuple(each for each in bound if extra_of(each) is not None and each not in retry.constraints)
            return msgspec.structs.replace(retry, constraints=(*asked, *retry.constraints))
        if retry.listens:
            return msgspec.structs.replace(retry, arguments=started)
        if cause.inputs != COMMAND or not started or retry.arguments[:1] == () or retry.arguments[0] in started:
            return retry
        return msgspec.structs.replace(retry, arguments=(*started, *retry.arguments))

    def _fits(self, retry: Retry) -> bool:
        """Whether a way is one for this package: a registry has dates, a Python package extras of its own."""
        kind, asked = self._ref.kind, [found for each in retry.constraints if (found := extra_of(each)) is not None]
        own = {"", normalise_pypi(self._ref.name)}
        return (
            (AS_RELEASED not in retry.constraints or kind in _RELEASED)
            and (not bounds(retry.constraints) or kind in _PYTHON)
            and (not asked or kind is RefKind.PYPI)
            and all(normalise_pypi(name) in own for name, _ in asked)
            and (not retry.listens or (self._sockets and kind not in _ELSEWHERE))
        )


def same_tree(before: Resolved, now: Resolved) -> bool:
    """Whether two resolutions come to the same; of what only its build tells dependencies, nobody knows."""
    return before.lock == now.lock and not now.build_lock
