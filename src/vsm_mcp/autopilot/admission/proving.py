"""build → trial → judgement: what was installed is run in the sandbox, and judged by what it did and says."""

from __future__ import annotations

import msgspec

from vsm_mcp.autopilot import expected
from vsm_mcp.autopilot.admission.installing import Installed, installed, rejected, resolved, started_otherwise
from vsm_mcp.autopilot.admission.order import Order, otherwise, warnings
from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.mending import Mending
from vsm_mcp.autopilot.subjects import after_trial
from vsm_mcp.autopilot.verdicts import failed_trial, judged, kept_at_home, unconfined, unwatched, watched
from vsm_mcp.errors import Unsuited
from vsm_mcp.events import SandboxPlanned, ignore
from vsm_mcp.install.installer import Resolved
from vsm_mcp.matching.relevance import MET
from vsm_mcp.model.counted import counted
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.finding import VetReport
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.retry import Retry
from vsm_mcp.model.server import Server
from vsm_mcp.model.trial import Cause, TrialReport
from vsm_mcp.runtime.homes import known_to_keep
from vsm_mcp.runtime.sandbox_plan import plan_of_server
from vsm_mcp.runtime.spec import spec_of
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.vetting.check import Stage, run_checks


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    """What passed: the installation, the report of its trial, the judgement, and what a person should know of it."""

    installed: Installed
    settings: Settings
    report: TrialReport
    verdict: VetReport
    notes: tuple[str, ...] = ()

    @property
    def server(self) -> Server:
        """The server as it would be."""
        return _as_known(self.installed.server, self.report)


class Attempt:
    """See :class:`~vsm_mcp.autopilot.mending.Attempt`: ``made``, started as ``now`` has it."""

    def __init__(self, passage: Passage, order: Order, made: Installed) -> None:
        self.made = made
        self.now = order
        self._ordered = order
        self._passage = passage

    @property
    def resolved(self) -> Resolved:
        """What is installed."""
        return self.made.resolved

    async def tried(self) -> TrialReport:
        """Try it in the sandbox."""
        return await _tried(self._passage, self.made.server, self.now.started)

    async def noted(self, retry: Retry, cause: Cause | None) -> None:
        """Keep as evidence what is tried next, and why."""
        await self._passage.record("remedy", {"retry": retry, "cause": cause})

    async def start(self, retry: Retry) -> None:
        """Have it started in this way; what it may see and reach is said again where it listens."""
        self.now = msgspec.structs.replace(self._ordered, way=retry)
        self.made = started_otherwise(self.made, self.now)
        if retry.listens:
            await _planned_for(self._passage, _as_known(self.made.server), self.now.started)

    async def resolve(self, constraints: tuple[str, ...]) -> Resolved:
        """Find out what of the same version would be installed with constraints. Raises what installers raise."""
        version = self.resolved.version if self.resolved.ref.kind in {RefKind.NPM, RefKind.PYPI} else ""
        return await resolved(self._passage, self.now, constraints, version)

    async def install(self, found: Resolved) -> None:
        """Install it in place of what is there. Raises what :func:`installed` does."""
        self.made = await _installed(self._passage, self.now, found)


async def proved(passage: Passage, order: Order, found: Resolved | None = None) -> Proved:
    """Install and try, again with a remedy where the cause of a failure is known; judge.

    ``found`` is what was resolved already.

    Raises :class:`VsmError` for every end but a passed trial that vetting does not reject, of what suits its need.
    """
    locked = passage.request.locked
    full = passage.parts.sandbox.isolation.tier is Tier.FULL
    mending = Mending(passage.id, passage.parts.emit, passage.request.ref, locked, sockets=full, way=order.way)
    found = found or await resolved(passage, order, expected.constraints(locked))
    made = await _installed(passage, order, found)
    await _planned_for(passage, _as_known(made.server), order.settings)
    attempt = Attempt(passage, order, made)
    report = await mending.tried(attempt)
    if not report.passed:
        raise failed_trial(report)
    made, now = attempt.made, attempt.now
    verdict = await _judged(passage, made, report)
    if passage.request.must_suit:
        await _suited(passage, made.server, report)
    seen = (*unconfined(made.built), *unwatched(report), *kept_at_home(_as_known(made.server, report), report))
    notes = (*warnings(passage, now.started), *otherwise(order, now), *made.resolved.notes, *seen)
    return Proved(installed=made, settings=now.started, report=report, verdict=verdict, notes=notes)


async def _installed(passage: Passage, order: Order, found: Resolved) -> Installed:
    async with passage.parts.quota.kept():
        return await installed(passage, order, found)


def _as_known(server: Server, report: TrialReport | None = None) -> Server:
    """Return the server with what its capabilities, and its trial, tell of its home."""
    seen = report.behaviour if report is not None else None
    return msgspec.structs.replace(server, keeps_home=known_to_keep(server.tags, seen))


async def _planned_for(passage: Passage, server: Server, settings: Settings) -> None:
    """Say what the server may see and reach, before it is started for the first time."""
    parts = passage.parts
    passage.shown = plan_of_server(server, settings.secrets, parts.config, parts.sandbox.isolation)
    await passage.record("plan", passage.shown)
    parts.emit(SandboxPlanned(acquisition=passage.id, plan=msgspec.to_builtins(passage.shown)))


async def _tried(passage: Passage, server: Server, settings: Settings) -> TrialReport:
    from vsm_mcp.vetting.trial import trial  # noqa: PLC0415 - with all that watches a server, once one is tried

    parts = passage.parts
    async with passage.step("trial") as said:
        spec = spec_of(server, settings.secrets, parts.config)
        spec = msgspec.structs.replace(spec, authorizer=parts.authorizer_of(spec))
        # what is tried is no server yet: its starts are in the report, and are none of a server's
        report = await trial(spec, parts.sandbox, parts.config, ignore)
        tools = len(report.offer.of(ItemKind.TOOL))
        if report.passed:
            said.append(f"{report.protocol}, {counted(tools, 'tools')}, tier {report.tier}")
        else:
            said.failed = failed_trial(report)
    names = [item.name for item in report.offer.items]
    bare = msgspec.structs.replace(report, offer=msgspec.structs.replace(report.offer, items=()))
    await passage.record("trial", {"report": bare, "items": names})
    return report


async def _suited(passage: Passage, server: Server, report: TrialReport) -> None:
    """Raise :class:`Unsuited` where none of its tools plainly does what is needed."""
    need = passage.request.need
    match = await passage.parts.suits(need, server.name, report.offer)
    await passage.record("suits", {"need": need, "match": round(match, 3), "met": match >= MET})
    if match < MET:
        raise Unsuited(f"none of its tools plainly does {need!r}")


async def _judged(passage: Passage, made: Installed, report: TrialReport) -> VetReport:
    server, parts = made.server, passage.parts
    subject = after_trial(parts, server, report, made.built, made.fetched)
    after = await run_checks(parts.checks, subject, Stage.AFTER_TRIAL)
    profile = parts.config.policy.profile
    verdict = judged((*made.checks, *after, *watched(report, profile)), profile)
    await passage.record("judged", verdict)
    rejected(passage, verdict)
    expected.check_seen(passage.request.locked, report, verdict)
    return verdict
