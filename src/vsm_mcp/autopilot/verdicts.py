"""Small pure readings of reports: what a failed trial means, what the checks amount to, what may be written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from vsm_mcp.errors import MissingInput, MissingValue, TrialFailed, VsmError
from vsm_mcp.install.installer import Built
from vsm_mcp.model.counted import counted
from vsm_mcp.model.finding import CheckResult, CheckStatus, VetReport
from vsm_mcp.model.launch import Settings, names_secret
from vsm_mcp.model.server import Server
from vsm_mcp.model.trial import TrialReport
from vsm_mcp.runtime.homes import keeps_home
from vsm_mcp.sandbox.confinement import HOME
from vsm_mcp.vetting.judge import judge

_MISSING: Final = {"missing_env": "env", "missing_arg": "arg"}


class _Failed(TrialFailed):
    """A failed trial whose code is the cause's."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.code = code  # type: ignore[misc] # the cause is more telling than the class


def failed_trial(report: TrialReport) -> VsmError:
    """Return the error of a trial that did not pass: values to give, or the cause in words."""
    cause = report.cause
    if cause is None:
        bad = [probe for probe in report.probes if probe.verdict == "fail"]
        message = f"the trial failed: {bad[0].name}: {bad[0].detail}" if bad else "the trial failed"
        return TrialFailed(message)
    if cause.code in _MISSING and cause.inputs:
        values = tuple(MissingInput(_kind(cause.code, name), name, "") for name in cause.inputs)
        return MissingValue(cause.message, cause.hint, values)
    return _Failed(cause.code, cause.message, cause.hint)


def _kind(code: str, name: str) -> str:
    return "secret" if code == "missing_env" and names_secret(name) else _MISSING[code]


def judged(results: Sequence[CheckResult], profile: str) -> VetReport:
    """Return what the checks amount to under a profile."""
    return judge(results, profile)


def watched(report: TrialReport, profile: str) -> tuple[CheckResult, ...]:
    """Return what the watch of a trial, and how its definitions fared in it, have to say to the judgement.

    It needs a program that not every machine has. That nobody could look rejects under ``strict``; elsewhere it is said
    as a warning (:func:`unwatched`), for else nothing could be admitted there.
    """
    watch, conduct = report.watch, (report.conduct,) if report.conduct is not None else ()
    return conduct if watch is None or (profile != "strict" and unwatched(report)) else (watch, *conduct)


def unwatched(report: TrialReport) -> tuple[str, ...]:
    """Return the warning that nobody watched a trial; nothing where somebody did."""
    watch = report.watch
    if watch is None or watch.status is not CheckStatus.UNAVAILABLE:
        return ()
    return (f"nobody saw what it did in its trial: {watch.detail}",)


def unconfined(built: Built) -> tuple[str, ...]:
    """Return the warning that what made an installation ran outside of the sandbox; nothing where it ran inside."""
    if not built.unconfined:
        return ()
    return (f"npm or uv ran outside of the sandbox while it was installed: {built.unconfined}",)


def kept_at_home(server: Server, report: TrialReport) -> tuple[str, ...]:
    """Return the warning that what a server was seen to write in its home is kept, where nobody said whether it is."""
    seen = report.behaviour.home if report.behaviour is not None else ()
    if not seen or server.settings.keep_home is not None or not keeps_home(server):
        return ()
    names = [path.removeprefix(f"{HOME}/") for path in seen[:2]]
    return (f"it writes in its home ({', '.join(names)}): that is kept; --private-home has it go when it ends",)


def summary(results: Sequence[CheckResult]) -> str:
    """Return one line on a stage of checks: ``2 checks passed``, or what did not."""
    words = [f"{result.check} {result.status.value}" for result in results if result.status is not CheckStatus.PASS]
    passed = len(results) - len(words)
    return ", ".join([f"{counted(passed, 'checks')} passed", *words])


def masked(settings: Settings) -> dict[str, Any]:
    """Return settings as evidence may hold them: names of secrets and variables, never their values."""
    return {
        "args": len(settings.args),
        "env": sorted(settings.env),
        "secrets": sorted(settings.secrets),
        "paths": settings.paths,
        "hosts": settings.hosts,
        "allow_scripts": settings.allow_scripts,
        "program": settings.program,
        "allow_unsandboxed": settings.allow_unsandboxed,
        "cwd": settings.cwd,
        "permissions": settings.permissions,
        "project": settings.project,
        "stateful": settings.stateful,
        "keep_home": settings.keep_home,
        "lazy": settings.lazy,
        "idle_stop_seconds": settings.idle_stop_seconds,
    }
