"""The trial in full: whether it can serve, then the protocol in both eras, its calls, its figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Emit
from vsm_mcp.model.finding import CheckResult, CheckStatus
from vsm_mcp.model.trial import Compliance, Figures, TrialReport
from vsm_mcp.runtime.process import Spawner
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.vetting.trial import trial
from vsm_mcp.vetting.trials import posts
from vsm_mcp.vetting.trials.aftermath import AFTERMATH
from vsm_mcp.vetting.trials.definitions import DEFINITIONS
from vsm_mcp.vetting.trials.greetings import FIRST, LAST
from vsm_mcp.vetting.trials.interview import ANSWER_SECONDS, Interview, interview
from vsm_mcp.vetting.trials.pace import pace
from vsm_mcp.vetting.trials.questions import QUESTIONS
from vsm_mcp.vetting.trials.room import Room
from vsm_mcp.vetting.trials.verdict import Rule, Verdict, unavailable
from vsm_mcp.vetting.watch import Watch
from vsm_mcp.wire.http import HttpTransport

ERAS: Final = ("legacy", "modern")
RULES: Final = (*FIRST, *QUESTIONS, *DEFINITIONS, *AFTERMATH, *LAST)
_SPARE_SECONDS: Final = 120.0
_THEIRS: Final = "not tried: it runs elsewhere, and"
UNTRIED: Final = {
    "malformed line": "not tried: over HTTP there are no lines",
    "stdout": "not tried: it runs elsewhere, and has no standard output here",
    "calls": f"{_THEIRS} none of its tools is made to work there",
    "cancellation": f"{_THEIRS} no request is left behind there",
    "time-out": f"{_THEIRS} no request is left behind there",
}
"""What is not asked of a server that runs elsewhere, and why. No calls but of tools that it has not."""
UNTRIED_MODERN: Final = {
    **UNTRIED,
    "envelope": "not tried: over HTTP a request without them is one of the older era",
    "notification": "not tried: over HTTP nothing but requests is sent in this era",
}


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out by running it."""

    report: TrialReport
    compliance: tuple[Compliance, ...] = ()
    calls_watch: CheckResult | None = None
    figures: Figures = Figures()


async def examine(spec: ServerSpec, sandbox: Sandbox, config: Config, emit: Emit) -> Examined:
    """Try a server, then look at how it keeps to the protocol. A bad server is an answer, not an error.

    Nothing of it is left afterwards. Raises what :func:`~vsm_mcp.vetting.trial.trial` raises.
    """
    report = await trial(spec, sandbox, config, emit)
    if not report.passed:
        return Examined(report=report, figures=report.figures)
    if spec.url is not None and report.transport == HttpTransport.kind:
        rows = await elsewhere(spec, config)
        return Examined(report=report, compliance=rows, figures=report.figures)
    if spec.command is None or spec.listens:
        why = f"looked at only over streamable HTTP and the standard streams of a program, not over {report.transport}"
        rows = tuple(_row(rule, era, unavailable(why)) for era in ERAS for rule in RULES if era in rule.eras)
        return Examined(report=report, compliance=rows, figures=report.figures)
    watch = Watch(sandbox, spec.secrets)
    rows = ()
    try:
        for era in ERAS:
            rows += await in_era(spec, watch, config, era)
    finally:
        await asyncio.shield(watch.finish())
    figures = await _figures(spec, sandbox, config, report)
    return Examined(report=report, compliance=rows, calls_watch=watch.result(), figures=figures)


async def in_era(
    spec: ServerSpec, spawner: Spawner, config: Config, era: str, patience: float = ANSWER_SECONDS
) -> tuple[Compliance, ...]:
    """Ask everything of one era; where the server does not speak it, each answer is *unavailable*.

    A question is given up after ``patience`` seconds.
    """
    return await _asked(_room(spec, spawner, config, era, patience), 3 * spec.start_timeout + _SPARE_SECONDS)


async def elsewhere(spec: ServerSpec, config: Config, eras: Sequence[str] = ERAS) -> tuple[Compliance, ...]:
    """Ask, politely, what may be asked of a server that is somebody else's: see :data:`UNTRIED`.

    Once it wants to be asked less often, nothing more is asked.
    """

    async def start(which: str) -> Interview:
        return await posts.interview(spec, which)

    rows: list[Compliance] = []
    barred = ""
    for era in eras:
        if barred:
            rows += [_row(rule, era, unavailable(barred)) for rule in RULES if era in rule.eras]
            continue
        room = Room(start, era, config.runtime.stop_grace_seconds)
        untried = UNTRIED_MODERN if era == "modern" else UNTRIED
        rows += await _asked(room, 3 * spec.start_timeout + _SPARE_SECONDS, untried)
        barred = room.barred
    return tuple(rows)


async def _asked(room: Room, seconds: float, untried: Mapping[str, str] = {}) -> tuple[Compliance, ...]:
    """Ask every rule of the room's era but the ``untried`` ones, by why."""
    era = room.era
    rules = [rule for rule in RULES if era in rule.eras]
    rows: list[Compliance] = []
    try:
        async with asyncio.timeout(seconds):
            if why := await _stranger(room):
                return tuple(_row(rule, era, unavailable(why)) for rule in rules)
            for rule in rules:
                why = untried.get(rule.name) or room.barred
                row = _row(rule, era, unavailable(why)) if why else await _checked(rule, room)
                rows.append(_row(rule, era, unavailable(room.barred)) if room.barred else row)
    except TimeoutError:
        rows += [_row(rule, era, unavailable("there was no time left")) for rule in rules[len(rows) :]]
    finally:
        await asyncio.shield(room.close())
    return tuple(rows)


async def _stranger(room: Room) -> str:
    """Return why a server cannot be spoken to in this era; empty when it can."""
    try:
        await room.talk()
    except VsmError as error:
        return room.barred or f"it does not speak this era: {error.message}"
    return ""


async def _checked(rule: Rule, room: Room) -> Compliance:
    """Ask one rule; a server that ends meanwhile has failed it."""
    began = time.monotonic()
    try:
        verdict = await rule.ask(room)
        await room.renewed()
    except VsmError as error:
        verdict = (CheckStatus.FAIL, error.message)
    return _row(rule, room.era, verdict, time.monotonic() - began)


def _row(rule: Rule, era: str, verdict: Verdict, seconds: float = 0.0) -> Compliance:
    status, detail = verdict
    return Compliance(
        check=rule.name,
        era=era,
        status=status,
        severity=rule.severity,
        meaning=rule.meaning,
        source=rule.source,
        detail=detail[:500],
        seconds=round(seconds, 3),
    )


async def _figures(spec: ServerSpec, sandbox: Sandbox, config: Config, report: TrialReport) -> Figures:
    try:
        return await pace(_room(spec, sandbox, config, report.era))
    except VsmError:
        return report.figures


def _room(spec: ServerSpec, spawner: Spawner, config: Config, era: str, patience: float = ANSWER_SECONDS) -> Room:
    async def start(which: str) -> Interview:
        return await interview(spec, spawner, which, config.runtime.max_line_bytes)

    return Room(start, era, config.runtime.stop_grace_seconds, patience)
