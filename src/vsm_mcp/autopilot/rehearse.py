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

from vsm_mcp.autopilot.launch import LaunchPlan, plan_launch
from vsm_mcp.autopilot.mending import Mending, same_tree
from vsm_mcp.autopilot.outcome import Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.subjects import after_trial, granted_to
from vsm_mcp.autopilot.verdicts import judged, unwatched, watched
from vsm_mcp.autopilot.vetted import built_vetted, fetched_vetted, options_of, unscripted
from vsm_mcp.errors import MissingValue, VsmError
from vsm_mcp.events import StepFailed, StepFinished, StepStarted, ignore
from vsm_mcp.install.installer import Built, Fetched, Resolved
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.finding import CheckResult, Judgement, VetReport
from vsm_mcp.model.launch import LaunchFacts, Settings
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.retry import Retry
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.model.trial import Examination
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
        made = await self._made(await self._resolved(ref))
        if isinstance(made, Examination):
            return made
        full = self._parts.sandbox.isolation.tier is Tier.FULL
        mending, way = Mending(self._name, self._parts.emit, ref, sockets=full), Retry()
        found = await self._with_stand_ins(self._server(made, launch, way))
        while (retry := mending.after(found.report)) is not None:
            if not retry.constraints:
                way = retry
            else:
                otherwise = await self._resolved_otherwise(retry.constraints, made.resolved)
                if otherwise is None:
                    mending.missed()
                    continue
                again = await self._made_otherwise(otherwise)
                if again is None:
                    break  # what was installed before is gone
                made = again
            found = await self._with_stand_ins(self._server(made, launch, way))
        found = msgspec.structs.replace(found, report=mending.told(found.report))
        resolved, fetched, built, before = made
        server = self._server(made, launch, way)
        subject = after_trial(self._parts, server, found.report, built, fetched)
        subject = msgspec.structs.replace(subject, fleet=await self._others(ref))
        after = await self._after(subject) if found.report.passed else ()
        return self._concluded(resolved.ref, resolved.version, before, found, after)

    async def _resolved(self, ref: Ref, constraints: tuple[str, ...] = ()) -> Resolved:
        options = options_of(self._parts, self._settings, self._facts, constraints)
        async with self._step("resolve"):
            return await (await self._parts.installer(ref)).resolve(ref, options)

    async def _resolved_otherwise(self, constraints: tuple[str, ...], before: Resolved) -> Resolved | None:
        """Resolve the same version with constraints; ``None`` where that cannot be, or comes to the same."""
        try:
            found = await self._resolved(before.ref, constraints)
        except VsmError:
            return None
        return None if same_tree(before, found) else found

    async def _made_otherwise(self, resolved: Resolved) -> _Made | None:
        """Install it in place of what is there; ``None`` where that cannot be, or vetting rejects it."""
        try:
            made = await self._made(resolved)
        except VsmError:
            return None
        return made if isinstance(made, _Made) else None

    async def _made(self, resolved: Resolved) -> _Made | Examination:
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

    def _server(self, made: _Made, launch: LaunchPlan, way: Retry) -> Server:
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
            settings=msgspec.structs.replace(
                self._settings, args=(), env={}, secrets={}, listens=way.listens or self._settings.listens
            ),
            args=(*way.arguments, *launch.args),
            env=launch.env,
        )

    async def _with_stand_ins(self, server: Server) -> Examined:
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
