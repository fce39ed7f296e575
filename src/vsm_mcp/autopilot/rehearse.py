"""``vsm-mcp trial``: a reference as far as its trial, in a temporary place; nothing of it stays.

The same steps as an admission takes (resolve → fetch → vet → build → trial), and then the full trial instead of the
activation. What is made lies under a name that no server has, so that the next start removes what a killed process
left.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import msgspec

from vsm_mcp.autopilot.admission.order import Order
from vsm_mcp.autopilot.launch import LaunchPlan, plan_launch
from vsm_mcp.autopilot.mending import Mending
from vsm_mcp.autopilot.outcome import Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.subjects import after_trial, granted_to
from vsm_mcp.autopilot.verdicts import judged, unwatched, watched
from vsm_mcp.autopilot.vetted import built_vetted, fetched_vetted, options_of, unscripted
from vsm_mcp.errors import MissingValue, VettingRejected, VsmError
from vsm_mcp.events import StepFailed, StepFinished, StepStarted, ignore
from vsm_mcp.install.installer import Built, Fetched, Resolved
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.finding import CheckResult, Judgement, VetReport
from vsm_mcp.model.launch import LaunchFacts, Settings
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.retry import Retry
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.model.trial import Cause, Examination, TrialReport
from vsm_mcp.runtime.spec import spec_of
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.vetting.check import Stage, Subject, run_checks
from vsm_mcp.vetting.trials.advice import advise
from vsm_mcp.vetting.trials.examine import Examined, examine

STAND_IN: Final = "vsm-mcp-stand-in"
"""The value of every secret in a trial."""
_PREFIX: Final = "trial-"
_ROUNDS: Final = 4


class _Made(NamedTuple):
    """What was fetched and built, and what vetting saw of it."""

    resolved: Resolved
    fetched: Fetched
    built: Built
    before: tuple[CheckResult, ...]


class Rehearsal:
    """One trial of something that need not be served. ``stand_ins`` are the variables that got no value of theirs."""

    def __init__(self, parts: Parts, settings: Settings, known: Candidate | None = None) -> None:
        self._parts = parts
        self._settings = settings
        self._known = known
        self._facts = (known.launch if known else None) or LaunchFacts()
        self._name = f"{_PREFIX}{secrets.token_hex(6)}"
        self._notes: tuple[str, ...] = ()
        self.stand_ins: set[str] = set()

    async def of(self, ref: Ref) -> Examination:
        """Resolve, fetch, vet, build and try a reference; leave nothing of it, whatever happens.

        Raises what installers raise, and :class:`MissingValue` for arguments that have to be given.
        """
        try:
            return await self._of(ref)
        finally:
            await asyncio.shield(self._cleaned())

    async def of_server(self, server: Server) -> Examination:
        """Try a server that is there: its installed files as they lie, in processes of the trial's own."""
        tried = msgspec.structs.replace(server, name=self._name)
        remote = server.installation.entry.remote
        names = self._parts.store.secrets.of(server.acquisition)
        if not remote:
            self.stand_ins |= names.keys()
            closed = msgspec.structs.replace(tried.settings, hosts=(), network=False)
            tried = msgspec.structs.replace(tried, settings=closed)
        try:
            found = await self._examined(tried, names if remote else dict.fromkeys(names, STAND_IN))
        finally:
            await asyncio.shield(self._cleaned())
        offer, fleet = found.report.offer, await self._others(server.ref)
        granted = granted_to(server.settings, self._parts.config, remote=remote)
        subject = Subject(ref=server.ref, version=server.version, offer=offer, fleet=fleet, granted=granted)
        return self._concluded(server.ref, server.version, (), found, await self._after(subject))

    async def _of(self, ref: Ref) -> Examination:
        launch = self._launch(ref)
        made = await self.made(await self.resolved(ref))
        if isinstance(made, Examination):
            return made
        full = self._parts.sandbox.isolation.tier is Tier.FULL
        attempt = _Attempt(self, launch, made)
        report = await Mending(self._name, self._parts.emit, ref, sockets=full).tried(attempt)
        found = msgspec.structs.replace(attempt.found, report=report)
        resolved, fetched, built, before = attempt.made
        server = self.server(attempt.made, launch, attempt.way)
        subject = after_trial(self._parts, server, found.report, built, fetched)
        subject = msgspec.structs.replace(subject, fleet=await self._others(ref))
        after = await self._after(subject) if found.report.passed else ()
        return self._concluded(resolved.ref, resolved.version, before, found, after)

    async def resolved(self, ref: Ref, constraints: tuple[str, ...] = ()) -> Resolved:
        """Find out what would be installed. Raises what installers raise."""
        options = options_of(self._parts, self._settings, self._facts, constraints)
        async with self._step("resolve"):
            return await (await self._parts.installer(ref)).resolve(ref, options)

    async def made(self, resolved: Resolved) -> _Made | Examination:
        """Install it in the temporary place; an examination where vetting rejects it before."""
        parts, installer = self._parts, await self._parts.installer(resolved.ref)
        options = options_of(parts, self._settings, self._facts, resolved.constraints)
        request = Request(ref=resolved.ref, settings=self._settings, known=self._known)
        self._notes = resolved.notes
        async with self._step("fetch"):
            fetched = await installer.fetch(resolved, await parts.installations.stage(self._name, "tried"))
        async with self._step("vet"):
            before = await fetched_vetted(parts, request, resolved, fetched)
        if rejected := self._rejected(resolved, before):
            return rejected
        options = msgspec.structs.replace(options, before_scripts=unscripted(parts, resolved))
        async with self._step("build"):
            into = await parts.installations.begin(self._name, "tried")
            built = await installer.build(resolved, fetched, into, options)
            before += await built_vetted(parts, resolved, into)
        return self._rejected(resolved, before) or _Made(resolved, fetched, built, before)

    def _rejected(self, resolved: Resolved, results: tuple[CheckResult, ...]) -> Examination | None:
        """Return the end of an examination where vetting rejects what was made so far: nothing of that runs."""
        verdict = judged(results, self._parts.config.policy.profile)
        if verdict.judgement is not Judgement.REJECT:
            return None
        advice = advise(verdict, None)
        return Examination(ref=str(resolved.ref), version=resolved.version, vetting=verdict, advice=advice)

    def _launch(self, ref: Ref) -> LaunchPlan:
        """Return how it is started, with stand-ins for the secrets that it is known to need."""
        try:
            return plan_launch(self._facts, self._settings, ref)
        except MissingValue as error:
            if any(value.kind == "arg" for value in error.values):
                raise
            self._stand_in({value.name for value in error.values})
            return plan_launch(self._facts, self._settings, ref)

    def _stand_in(self, names: set[str]) -> None:
        self.stand_ins |= names
        values = {**self._settings.secrets, **dict.fromkeys(names, STAND_IN)}
        self._settings = msgspec.structs.replace(self._settings, secrets=values)

    def server(self, made: _Made, launch: LaunchPlan, way: Retry) -> Server:
        """Return it as a server, started in a way."""
        resolved, built = made.resolved, made.built
        installation = Installation(
            server=self._name,
            ref=resolved.ref,
            version=resolved.version,
            path=str(self._parts.installations.path(self._name, "tried")),
            entry=built.entry,
            packages=built.packages or resolved.packages,
        )
        return Server(
            name=self._name,
            ref=resolved.ref,
            version=resolved.version,
            installation=installation,
            **Order(launch=launch, settings=msgspec.structs.replace(self._settings, secrets={}), way=way).start,
        )

    async def with_stand_ins(self, server: Server) -> Examined:
        """Try it; where it says that a variable is missing, again with a stand-in for that."""
        for _ in range(_ROUNDS):
            found = await self._examined(server, self._settings.secrets)
            cause = found.report.cause
            missing = set(cause.inputs) if cause and cause.code == "missing_env" else set()
            if not missing - self._settings.secrets.keys() - self._settings.env.keys():
                break
            self._stand_in(missing)
        return found

    async def _examined(self, server: Server, values: dict[str, str]) -> Examined:
        parts = self._parts
        async with self._step("trial"):
            spec = spec_of(server, values, parts.config)
            spec = msgspec.structs.replace(spec, authorizer=parts.authorizer_of(spec))
            return await examine(spec, parts.sandbox, parts.config, ignore)

    async def _after(self, subject: Subject) -> tuple[CheckResult, ...]:
        return await run_checks(self._parts.checks, subject, Stage.AFTER_TRIAL)

    def _concluded(
        self,
        ref: Ref,
        version: str,
        before: tuple[CheckResult, ...],
        found: Examined,
        after: tuple[CheckResult, ...],
    ) -> Examination:
        profile = self._parts.config.policy.profile
        verdict: VetReport | None = judged((*before, *after, *watched(found.report, profile)), profile)
        if not (before or after):
            verdict = None
        advice = advise(verdict, found.report, found.compliance, found.calls_watch, found.figures)
        unseen = unwatched(found.report)
        if any(reason.startswith("nobody saw") for reason in advice.reasons):
            unseen = ()
        advice = msgspec.structs.replace(advice, reasons=(*advice.reasons, *unseen, *self._notes))
        return Examination(
            ref=str(ref),
            version=version,
            advice=advice,
            vetting=verdict,
            trial=found.report,
            compliance=found.compliance,
            calls_watch=found.calls_watch,
            figures=found.figures,
        )

    async def _others(self, ref: Ref) -> dict[str, tuple[str, ...]]:
        """Return the tools of the other servers; what is served of the same reference is no other."""
        same = {each.name for each in await self._parts.store.servers.all() if each.ref.identity == ref.identity}
        return {name: tools for name, tools in self._parts.fleet().items() if name not in same}

    async def _cleaned(self) -> None:
        await self._parts.installations.discard_server(self._name)
        for log in (self._parts.config.home / "logs").glob(f"{self._name}.log*"):
            with contextlib.suppress(OSError):
                log.unlink()

    @contextlib.asynccontextmanager
    async def _step(self, step: str) -> AsyncIterator[None]:
        self._parts.emit(StepStarted(acquisition=self._name, step=step))
        began = time.perf_counter()
        try:
            yield
        except VsmError as error:
            self._parts.emit(StepFailed(acquisition=self._name, step=step, code=error.code, message=error.message))
            raise
        self._parts.emit(StepFinished(acquisition=self._name, step=step, seconds=time.perf_counter() - began))


class _Attempt:
    """See :class:`~vsm_mcp.autopilot.mending.Attempt`: ``made``, started in ``way``; ``found`` was seen last."""

    found: Examined

    def __init__(self, rehearsal: Rehearsal, launch: LaunchPlan, made: _Made) -> None:
        self.made = made
        self.way = Retry()
        self._rehearsal = rehearsal
        self._launch = launch

    @property
    def resolved(self) -> Resolved:
        """What is installed."""
        return self.made.resolved

    async def tried(self) -> TrialReport:
        """Try it in full."""
        server = self._rehearsal.server(self.made, self._launch, self.way)
        self.found = await self._rehearsal.with_stand_ins(server)
        return self.found.report

    async def noted(self, retry: Retry, cause: Cause | None) -> None:
        """Keep nothing: a trial leaves no evidence."""

    async def start(self, retry: Retry) -> None:
        """Have it started in this way."""
        self.way = retry

    async def resolve(self, constraints: tuple[str, ...]) -> Resolved:
        """Find out what of the same version would be installed with constraints. Raises what installers raise."""
        return await self._rehearsal.resolved(self.resolved.ref, constraints)

    async def install(self, found: Resolved) -> None:
        """Install it in place of what is there. Raises what installers raise, and :class:`VettingRejected`."""
        made = await self._rehearsal.made(found)
        if isinstance(made, Examination):
            raise VettingRejected("vetting rejects it as it would be installed otherwise")
        self.made = made
