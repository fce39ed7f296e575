"""One reference through the saga: resolve → fetch → vet → build → trial → activate.

The step and the plan are in the store before the step begins. Whatever ends an admission before its server is in the
catalogue (an error, a cancellation, ``kill -9``) is undone: nothing of it stays on disk but its evidence. The one
commit point is the write of the server with its offer and pins, in one transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from vsm_mcp.autopilot.grants import check_project, with_named_paths
from vsm_mcp.autopilot.launch import LaunchPlan, plan_launch
from vsm_mcp.autopilot.naming import check_name, server_name
from vsm_mcp.autopilot.outcome import Outcome, Reason, Request, outcome_of
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.past import compared, earlier, walked
from vsm_mcp.autopilot.undo import Undo
from vsm_mcp.autopilot.verdicts import failed_trial, judged, masked, summary, unconfined, unwatched, watched
from vsm_mcp.errors import BadArgument, VettingRejected, VsmError
from vsm_mcp.events import (
    AcquisitionFinished,
    AcquisitionStarted,
    RemedyApplied,
    SandboxPlanned,
    ServerAdded,
    StepFailed,
    StepFinished,
    StepStarted,
    ignore,
)
from vsm_mcp.install.installer import Built, Fetched, Options, Resolved
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.finding import CheckResult, Judgement, VetReport
from vsm_mcp.model.launch import LaunchFacts, Settings
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.sandbox_plan import SandboxPlan
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.model.trial import TrialReport
from vsm_mcp.routing.names import exposed
from vsm_mcp.runtime.permissions import permitted, profile_of
from vsm_mcp.runtime.sandbox_plan import plan_of, plan_of_server, remote_plan
from vsm_mcp.runtime.spec import network_of, spec_of
from vsm_mcp.store.sagas import Plan
from vsm_mcp.vetting.check import Stage, Subject, run_checks
from vsm_mcp.vetting.pins import pins_of
from vsm_mcp.vetting.trial import trial

_REASONS: Final = 5
_NOTE_NETWORK: Final = "its work may need the network, which is off: allow hosts with --allow-host"
_NOTE_OPEN: Final = "all that this machine reaches is open to it, its loopback included: its network is not confined"


async def admit(parts: Parts, request: Request) -> Outcome:
    """Take one reference into service. Expected ends are outcomes; only a cancellation is raised."""
    run = _Admission(parts, request)
    await parts.store.sagas.begin(run.id, str(request.ref))
    parts.emit(AcquisitionStarted(acquisition=run.id, subject=str(request.ref)))
    try:
        outcome = await run.through()
        await parts.store.sagas.end(run.id, "done")
    except VsmError as error:
        await run.take_back()
        outcome = outcome_of(error, request, run.id, run.shown)
    except BaseException:
        await asyncio.shield(run.take_back())
        raise
    await parts.store.evidence.add(run.id, "outcome", msgspec.structs.replace(outcome, admitted=None))
    code = outcome.reason.code if outcome.reason else ""
    parts.emit(AcquisitionFinished(acquisition=run.id, outcome=outcome.outcome, server=outcome.server, code=code))
    return outcome


class _Said(list[str]):
    """What the body of a step has to say; ``failed`` is set for a failure that may yet be mended."""

    failed: VsmError | None = None


class _Admission:
    """The state of one admission on its way."""

    def __init__(self, parts: Parts, request: Request) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._parts = parts
        self._request = request
        self._plan = Plan()
        self.shown: SandboxPlan | None = None
        self._checks: tuple[CheckResult, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._facts = (request.known.launch if request.known else None) or LaunchFacts()

    async def take_back(self) -> None:
        undo = Undo(self._parts.store, self._parts.installations, self._parts.emit)
        await undo.undo(self.id, self._plan)

    async def through(self) -> Outcome:
        """Take every step; return the outcome. Raises :class:`VsmError` for every end before the commit."""
        launch, settings = self._prepared()
        self.shown = self._expected(launch, settings)
        await self._cleared(settings)
        constraints: tuple[str, ...] = ()
        tried: set[tuple[str, ...]] = set()
        while True:
            server, built, fetched = await self._installed(launch, settings, constraints)
            if not tried:
                await self._planned_for(server, settings)
            report = await self._tried(server, settings)
            if report.passed:
                break
            remedies = [remedy for remedy in (report.cause.remedies if report.cause else ()) if remedy not in tried]
            if not remedies:
                raise failed_trial(report)
            constraints = remedies[0]
            tried.add(constraints)
            why = report.cause.message if report.cause else ""
            self._parts.emit(RemedyApplied(acquisition=self.id, remedy=" ".join(constraints), reason=why))
            await self._record("remedy", {"constraints": constraints, "cause": report.cause})
        verdict = await self._judged(server, report, built, fetched)
        self._notes = (*self._warnings(settings), *unconfined(built), *unwatched(report))
        return await self._activated(server, settings, report, verdict)

    def _prepared(self) -> tuple[LaunchPlan, Settings]:
        if self._request.name:
            check_name(self._request.name)
        settings = self._request.settings
        config = self._parts.config
        profile = profile_of(settings, config)
        network_of(permitted(settings, profile))
        launch = plan_launch(self._facts, settings, self._request.ref)
        home, private = config.environ.get("HOME", "/root"), (str(config.home),)
        if profile.wants_project:
            check_project(settings, home, private)
        return launch, with_named_paths(settings, launch, home, private, profile.named_paths)

    def _expected(self, launch: LaunchPlan, settings: Settings) -> SandboxPlan:
        """Return what it would get, as far as that is known before anything of it is here."""
        ref, parts = self._request.ref, self._parts
        if ref.kind is RefKind.REMOTE:
            return remote_plan(ref.name, launch.env, settings.secrets)
        return plan_of(settings, parts.config, parts.sandbox.isolation, variables=launch.env)

    async def _planned_for(self, server: Server, settings: Settings) -> None:
        """Say what the server may see and reach, before it is started for the first time."""
        parts = self._parts
        self.shown = plan_of_server(server, settings.secrets, parts.config, parts.sandbox.isolation)
        await self._record("plan", self.shown)
        parts.emit(SandboxPlanned(acquisition=self.id, plan=msgspec.to_builtins(self.shown)))

    async def _cleared(self, settings: Settings) -> None:
        request = self._request
        granted = permitted(settings, profile_of(settings, self._parts.config))
        facts: dict[str, str | bool | float] = {
            "ref": str(request.ref),
            "scripts": settings.allow_scripts,
            "network": bool(granted.hosts) or granted.network,
            "whole_network": granted.whole_network,
            "permissions": settings.permissions,
            "unsandboxed": settings.allow_unsandboxed,
            "secrets": bool(settings.secrets),
            "curated": bool(request.known and request.known.curated),
            "approved": request.approved,
        }
        kind = ActionKind.ACQUIRE if request.need else ActionKind.ADD
        action = Action(kind=kind, subject=str(request.ref), actor=request.actor, facts=facts)
        await self._parts.performer.clear(action, detail=request.need)
        await self._record("request", {"ref": str(request.ref), "need": request.need, "settings": masked(settings)})

    async def _installed(
        self, launch: LaunchPlan, settings: Settings, constraints: tuple[str, ...]
    ) -> tuple[Server, Built, Fetched]:
        installer = await self._parts.installer(self._request.ref)
        options = Options(
            constraints=constraints,
            min_release_age_days=self._parts.config.install.min_release_age_days,
            allow_scripts=settings.allow_scripts,
            executable=self._facts.executable,
        )
        async with self._step("resolve") as said:
            resolved = await installer.resolve(self._request.ref, options)
            said.append(f"{resolved.version} with {len(resolved.packages)} packages")
        await self._record("resolved", {"version": resolved.version, "packages": resolved.packages})
        if not self._plan.server:
            self._plan = await self._planned(resolved)
        name, label = self._plan.server, self._plan.version
        async with self._step("fetch") as said:
            fetched = await installer.fetch(resolved, await self._parts.installations.stage(name, label))
            said.append(f"{len(fetched.members)} files, {fetched.archive_sha[:19]}")
        async with self._step("vet") as said:
            self._checks = await self._vetted(resolved, fetched)
            said.append(summary(self._checks))
        async with self._step("build"):
            into = await self._parts.installations.begin(name, label)
            built = await installer.build(resolved, fetched, into, options)
            self._checks += await walked(self._parts, resolved, into, self.id)
            self._rejected(judged(self._checks, self._parts.config.policy.profile))
        record = {"entry": built.entry, "integrity": built.integrity, "scripts": built.scripts}
        await self._record("built", {**record, "confined": built.confined, "unconfined": built.unconfined})
        return self._server(resolved, built, launch, settings), built, fetched

    async def _planned(self, resolved: Resolved) -> Plan:
        servers = await self._parts.store.servers.all()
        same = [server for server in servers if server.ref.identity == self._request.ref.identity]
        if self._request.name:
            named = [server for server in servers if server.name == self._request.name]
            if named and named[0].ref.identity != self._request.ref.identity and not self._replaces(named[0]):
                raise BadArgument(f"another server is called {self._request.name}", "give another --name, or remove it")
            name = self._request.name
        else:
            taken = {server.name for server in servers}
            name = same[0].name if same else server_name(self._request.ref, taken)
        base = label = resolved.version or "current-address"
        used = set(self._parts.installations.versions(name))
        number = 1
        while label in used:
            number += 1
            label = f"{base}_{number}"
        return Plan(server=name, version=label, previous=self._parts.installations.current(name))

    def _replaces(self, server: Server) -> bool:
        """Whether the file that asked for a server now asks for another one under its name."""
        return bool(server.origin and self._request.origin)

    async def _vetted(self, resolved: Resolved, fetched: Fetched) -> tuple[CheckResult, ...]:
        subject = self._subject(resolved, fetched)
        results = await run_checks(self._parts.checks, subject, Stage.BEFORE_INSTALL)
        results = compared(results, await earlier(self._parts.store, resolved.ref))
        await self._record("vetted", results)
        self._rejected(judged(results, self._parts.config.policy.profile))
        return results

    def _subject(self, resolved: Resolved, fetched: Fetched) -> Subject:
        known = self._request.known
        extra: dict[str, Any] = {"facts": known.facts} if known else {}
        return Subject(
            ref=resolved.ref,
            version=resolved.version,
            root=fetched.root,
            members=fetched.members,
            manifest=fetched.manifest,
            **extra,
        )

    def _server(self, resolved: Resolved, built: Built, launch: LaunchPlan, settings: Settings) -> Server:
        name, label = self._plan.server, self._plan.version
        known = self._request.known
        installation = Installation(
            server=name,
            ref=resolved.ref,
            version=label,
            path=str(self._parts.installations.path(name, label)),
            entry=built.entry,
            packages=built.packages or resolved.packages,
            integrity=built.integrity,
            constraints=resolved.constraints,
        )
        return Server(
            name=name,
            ref=resolved.ref,
            version=resolved.version,
            installation=installation,
            settings=msgspec.structs.replace(settings, args=(), env={}),  # they are in args and env, merged
            args=launch.args,
            env=launch.env,
            tags=known.tags if known else (),
            description=known.description if known else "",
            acquisition=self.id,
            added=time.time(),
            origin=self._request.origin,
        )

    async def _tried(self, server: Server, settings: Settings) -> TrialReport:
        async with self._step("trial") as said:
            spec = spec_of(server, settings.secrets, self._parts.config)
            spec = msgspec.structs.replace(spec, authorizer=self._parts.authorizer_of(spec))
            # what is tried is no server yet: its starts are in the report, and are none of a server's
            report = await trial(spec, self._parts.sandbox, self._parts.config, ignore)
            tools = len(report.offer.of(ItemKind.TOOL))
            if report.passed:
                said.append(f"{report.protocol}, {tools} tools, tier {report.tier}")
            else:
                said.failed = failed_trial(report)
        names = [item.name for item in report.offer.items]
        bare = msgspec.structs.replace(report, offer=msgspec.structs.replace(report.offer, items=()))
        await self._record("trial", {"report": bare, "items": names})
        return report

    async def _judged(self, server: Server, report: TrialReport, built: Built, fetched: Fetched) -> VetReport:
        subject = Subject(
            ref=server.ref,
            version=server.version,
            root=fetched.root,
            members=fetched.members,
            manifest=fetched.manifest,
            scripts=built.scripts,
            offer=report.offer,
            fleet={name: tools for name, tools in self._parts.fleet().items() if name != server.name},
        )
        after = await run_checks(self._parts.checks, subject, Stage.AFTER_TRIAL)
        profile = self._parts.config.policy.profile
        verdict = judged((*self._checks, *after, *watched(report, profile)), profile)
        await self._record("judged", verdict)
        self._rejected(verdict)
        return verdict

    def _rejected(self, verdict: VetReport) -> None:
        if verdict.judgement is Judgement.REJECT:
            hint = f"vsm-mcp evidence {self.id} shows what each check saw"
            raise VettingRejected(f"vetting rejected it: {verdict.reasons[0]}", hint)

    def _held_back(self, verdict: VetReport) -> bool:
        """Whether the server waits for a person.

        Who named it and said yes has agreed to findings that want a look; a need in words agrees to none, so its
        next candidate is tried instead.
        """
        if verdict.judgement is not Judgement.QUARANTINE:
            return False
        if self._request.need:
            hint = f"look at vsm-mcp evidence {self.id}; if that is fine: vsm-mcp add {self._request.ref} --yes"
            raise VettingRejected(f"a person must look at it first: {verdict.reasons[0]}", hint)
        return not self._request.approved or bool(self._request.origin)

    async def _activated(self, server: Server, settings: Settings, report: TrialReport, verdict: VetReport) -> Outcome:
        parts, quarantined = self._parts, self._held_back(verdict)
        async with self._step("activate"):
            before = [other for other in await parts.store.servers.all() if other.name == server.name]
            seen = any(old.observed_stateful for old in before)
            found = {"era": report.era, "transport": report.transport, "observed_stateful": seen}
            server = msgspec.structs.replace(server, quarantined=quarantined, **found)
            parts.store.secrets.put(self.id, settings.secrets)
            await parts.installations.activate(server.name, self._plan.version)
            await parts.store.servers.put(server, report.offer, pins_of(report.offer))
            for old in before:
                parts.store.secrets.remove(old.acquisition)
            await self._tidied()
        parts.emit(ServerAdded(server=server.name, ref=str(server.ref)))
        reason = None
        if quarantined:
            hint = f"look at vsm-mcp evidence {self.id}, then vsm-mcp approve {server.name}"
            reason = Reason(code="quarantined", message="; ".join(verdict.reasons[:_REASONS]), hint=hint)
        return Outcome(
            outcome="quarantined" if quarantined else "served",
            ref=str(server.ref),
            evidence=self.id,
            server=server.name,
            version=server.version,
            tier=report.tier,
            tools=tuple(exposed(server.name, item.name) for item in report.offer.of(ItemKind.TOOL)),
            reason=reason,
            warnings=(*self._notes, *(() if quarantined else verdict.reasons[:_REASONS])),
            plan=self.shown,
            admitted=server,
        )

    async def _tidied(self) -> None:
        """Remove what only the versions before the previous one still held."""
        name, kept = self._plan.server, (self._plan.version, self._plan.previous)
        for version in self._parts.installations.versions(name):
            if version not in kept:
                await self._parts.installations.discard(name, version)

    def _warnings(self, settings: Settings) -> tuple[str, ...]:
        granted = permitted(settings, profile_of(settings, self._parts.config))
        if granted.whole_network:
            return (_NOTE_OPEN,)
        return (_NOTE_NETWORK,) if self._facts.network and not granted.hosts else ()

    async def _record(self, kind: str, body: Any) -> None:
        await self._parts.store.evidence.add(self.id, kind, body)

    @contextlib.asynccontextmanager
    async def _step(self, step: str) -> AsyncIterator[_Said]:
        """Write the step down, publish its begin and end, and let its body say a word about the result."""
        parts, began = self._parts, time.perf_counter()
        await parts.store.sagas.step(self.id, step, self._plan)
        parts.emit(StepStarted(acquisition=self.id, step=step))
        said = _Said()
        try:
            yield said
        except VsmError as error:
            said.failed = error
            raise
        finally:
            if (why := said.failed) is not None:
                parts.emit(StepFailed(acquisition=self.id, step=step, code=why.code, message=why.message))
        if said.failed is not None:
            return
        seconds = time.perf_counter() - began
        parts.emit(StepFinished(acquisition=self.id, step=step, seconds=seconds, detail=" ".join(said)))
