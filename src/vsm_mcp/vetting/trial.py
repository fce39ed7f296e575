"""The trial: one run of an installation in the sandbox, in which it has to show that it can serve."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.errors import ServerDown, VsmError
from vsm_mcp.events import Emit
from vsm_mcp.model.contact import Contact, merged
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.finding import Finding
from vsm_mcp.model.trial import Cause, Probe, TrialReport
from vsm_mcp.runtime.log import RotatedFile
from vsm_mcp.runtime.process import Process, Spawner, StartFailed
from vsm_mcp.runtime.process import start as start_process
from vsm_mcp.runtime.remote import Remote, open_remote
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Exit, NoNetwork
from vsm_mcp.sandbox.egress.rules import AllowList
from vsm_mcp.vetting import probes
from vsm_mcp.vetting.probes import FAIL, PASS, SKIPPED, WARN, Answer
from vsm_mcp.vetting.trials import conduct, pace
from vsm_mcp.vetting.watch import Watch

LIST_SECONDS: Final = 20.0
_SPARE_SECONDS: Final = 40.0
_RECENT_LINES: Final = 5
_QUICK_STOP_SECONDS: Final = 0.9
_AGAIN: Final = 1 / 3
"""So much of its time a server that hung gets once more, unwatched: to hang for that alone is rare, and not slow."""
# Causes that say little: what is known to be missing is missing without the watch, too.
_UNEXPLAINED: Final = frozenset({"crashed", "hung", "not_a_server", "broken_entry", "protocol"})
Instance = Process | Remote


async def trial(spec: ServerSpec, sandbox: Sandbox, config: Config, emit: Emit) -> TrialReport:
    """Run a server and report whether it is fit to serve; a bad server is an answer, not an error.

    It must shake hands, list what it offers (something), and start again. What else it does wrong is a warning, also
    that it dies of an unknown method, an unknown tool or wrong parameters. The whole takes at most two start time-outs
    and forty seconds, for a server that does not answer at all four thirds of one; nothing of the server is left
    afterwards.

    Raises :class:`vsm_mcp.errors.SandboxUnavailable` when the isolation asked for cannot be had, for that is not the
    server's fault.
    """
    run = _Run(spec, sandbox, config, emit)
    try:
        async with asyncio.timeout(2 * spec.start_timeout + _SPARE_SECONDS):
            await run.all()
    except TimeoutError:
        run.note("deadline", FAIL, "the trial as a whole took too long", 0.0)
        run.cause = run.cause or Cause(
            code="hung",
            message="the server answers too slowly to be tried",
            hint="try again on a machine with less load, or choose another server",
        )
    finally:
        await asyncio.shield(run.over())
    return run.report()


class _Run:
    """The state of one trial: what is running, what was seen."""

    def __init__(self, spec: ServerSpec, sandbox: Sandbox, config: Config, emit: Emit) -> None:
        self.cause: Cause | None = None
        self._spec = _observed(spec)
        self._watch = Watch(sandbox, spec.secrets)
        self._sandbox: Spawner = self._watch
        self._bare = sandbox
        self._config = config
        self._emit = emit
        self._probes: list[Probe] = []
        self._offer = Offer()
        self._instance: Instance | None = None
        self._era = self._protocol = self._tier = self._transport = ""
        self._start_seconds = 0.0
        self._starts: list[float] = []
        self._times: list[float] = []
        self._findings: list[Finding] = []
        self._peak: int | None = None
        self._tail: tuple[str, ...] = ()
        self._contacts: tuple[Contact, ...] = ()

    async def all(self) -> None:
        """Go through all probes in order; stop where going on makes no sense."""
        if not await self._begin():
            return
        if not await self._list():
            await self._explain_death()
            if not await self._lists_unwatched():
                return
        if await self._half_modern() and not (await self._begin() and await self._list()):
            await self._explain_death()
            return
        if not await self._questions():
            return
        await self._again()
        await self._stop()
        await self._restart()

    def note(self, name: str, verdict: str, detail: str, seconds: float) -> None:
        """Take down the answer to one probe."""
        self._probes.append(Probe(name=name, verdict=verdict, seconds=round(seconds, 4), detail=detail[:500]))

    async def end(self) -> None:
        """Leave nothing running."""
        instance, self._instance = self._instance, None
        if instance is not None:
            self._look(instance)
            await instance.stop()

    async def over(self) -> None:
        """Leave nothing running, and nothing of the watch."""
        await self.end()
        await self._watch.finish()

    def report(self) -> TrialReport:
        """Return what was seen."""
        failed = [probe for probe in self._probes if probe.verdict == FAIL]
        cause = self.cause
        if failed and cause is None:
            cause = Cause(
                code="trial_failed",
                message=f"the server failed the trial ({failed[0].name}: {failed[0].detail})",
                hint="no option mends this; try another version or another server",
            )
        return TrialReport(
            passed=not failed,
            era=self._era,
            protocol=self._protocol,
            tier=self._tier,
            transport=self._transport,
            start_seconds=round(self._start_seconds, 3),
            probes=tuple(self._probes),
            offer=self._offer,
            cause=cause if failed else None,
            peak_memory=self._peak,
            stderr_tail=self._tail,
            contacts=merged(self._contacts),
            behaviour=None if self._spec.url else self._watch.behaviour(),
            watch=None if self._spec.url else self._watch.result(),
            conduct=None if failed else conduct.result_of(self._offer, self._findings),
            figures=pace.figures(self._starts, self._times, 0.0, self._peak),
        )

    # --- the probes ----------------------------------------------------------------------------------------------

    async def _begin(self) -> bool:
        began = time.monotonic()
        try:
            self._instance = instance = await self._start_watched()
        except ServerDown as error:
            self.cause = error.cause or Cause(code=error.code, message=error.message, hint=error.hint)
            self._contacts += error.contacts if isinstance(error, StartFailed) else ()
            self.note("handshake", FAIL, self.cause.message, time.monotonic() - began)
            return False
        self._start_seconds = time.monotonic() - began
        self._starts.append(self._start_seconds)
        connection = instance.connection
        self._era, self._protocol, self._tier = connection.era, connection.protocol, instance.tier
        self._transport = instance.transport
        said = f"{self._era} era, protocol {self._protocol}, over {self._transport}"
        self.note("handshake", PASS, said, self._start_seconds)
        return True

    async def _start_watched(self) -> Instance:
        """Start it; if it fails and nobody knows why, once more without the watch: it may be that."""
        try:
            return await self._start(self._spec)
        except ServerDown as error:
            if not self._blames_watch(error.cause):
                raise
            self._sandbox = self._bare
            instance = await self._start_again(error)
            self._watch.give_up(f"it does not start while it is watched: {error.message}")
            return instance

    async def _start_again(self, before: ServerDown) -> Instance:
        """Start it unwatched; where it hung before, it has to come up in a part of its time, or else it hung."""
        if before.cause is None or before.cause.code != "hung":
            return await self._start(self._spec)
        try:
            return await self._start(_sooner(self._spec))
        except ServerDown:
            raise before from None

    async def _lists_unwatched(self) -> bool:
        """Whether it starts and lists when nobody watches, and did not do the latter before."""
        if not self._blames_watch(self.cause):
            return False
        before, cause = self._probes, self.cause
        hung = self._instance is not None and not self._instance.connection.closed.done()
        await self.end()
        self._sandbox, self._probes, self.cause = self._bare, [], None
        if await self._begin() and await self._list(LIST_SECONDS * _AGAIN if hung else LIST_SECONDS):
            self._watch.give_up(f"it does not list what it offers while it is watched: {before[-1].detail}")
            return True
        self._probes, self.cause = before, cause
        return False

    def _blames_watch(self, cause: Cause | None) -> bool:
        """Whether a failure may come from the watch: it was watched, and there is no better reason."""
        watched = self._sandbox is self._watch and self._watch.on and self._spec.url is None
        return watched and (cause is None or (cause.code in _UNEXPLAINED and not cause.listens))

    async def _start(self, spec: ServerSpec) -> Instance:
        if spec.url is not None:
            return await open_remote(spec, self._emit)
        return await start_process(spec, self._sandbox, self._config.runtime, self._log(), self._emit)

    def _log(self) -> RotatedFile:
        return RotatedFile(self._config.home / "logs" / f"{self._spec.name}.log", self._config.runtime.log_bytes)

    async def _list(self, seconds: float = LIST_SECONDS) -> bool:
        """Ask for every list it declares: the first thing that whoever uses it will do."""
        assert self._instance is not None  # noqa: S101 - _begin has said so
        began = time.monotonic()
        try:
            self._offer = await self._instance.connection.offer(seconds)
        except VsmError as error:
            self.note("list", FAIL, error.message, time.monotonic() - began)
            self.cause = _said(self._instance, error)
            return False
        verdict, detail = probes.offered(self._offer)
        self.note("list", verdict, detail, time.monotonic() - began)
        if verdict == FAIL:
            self.cause = Cause(
                code="offers_nothing",
                message="the server offers no tools, resources or prompts",
                hint="it may need an argument or a key before it offers any (--arg, --env, --secret)",
            )
            return False
        return True

    async def _half_modern(self) -> bool:
        """Whether it says that it speaks the modern era, but wants ``initialize`` before a call: then it is legacy."""
        assert self._instance is not None  # noqa: S101 - _begin has said so
        if not await probes.wants_initialize(self._instance.connection, self._offer):
            return False
        self.note("era", WARN, "it answers server/discover, but wants initialize before a call", 0.0)
        await self.end()
        self._spec = msgspec.structs.replace(self._spec, known_era="legacy")
        return True

    async def _questions(self) -> bool:
        """Ask what no tool answers; says whether it still runs, or runs again, after it."""
        began = time.monotonic()
        schemas = await asyncio.to_thread(probes.schemas_valid, self._offer)
        self.note("schemas", *schemas, seconds=time.monotonic() - began)
        for name, ask in probes.QUESTIONS:
            assert self._instance is not None  # noqa: S101 - _begin or _revived has said so
            self._probes.append(await probes.probe(name, partial(ask, self._instance.connection, self._offer)))
            if not await self._revived():
                return False
        return True

    async def _again(self) -> None:
        """See that it still lists the same after calls, and how fast it answers; for a bounded time."""
        assert self._instance is not None  # noqa: S101 - _revived has said so
        began = time.monotonic()
        seen = await conduct.after_calls(self._instance.connection, self._offer)
        self._times += seen.times
        if seen.verdict == WARN:
            self._findings.append(conduct.AFTER_CALLS.found("its lists", seen.detail))
        self.note("list again", seen.verdict, seen.detail, time.monotonic() - began)
        await self._revived()

    async def _revived(self) -> bool:
        """Start it again if it died of a question."""
        if self._instance is not None and not self._instance.connection.closed.done():
            return True
        await self.end()
        return await self._begin()

    async def _explain_death(self) -> bool:
        """Whether the server is gone, with the cause from its last words."""
        instance = self._instance
        if instance is None or not any(probe.verdict == FAIL for probe in self._probes):
            return False
        if self.cause is None and isinstance(instance, Process) and instance.connection.closed.done():
            await self.end_of(instance)
            self.cause = instance.explain("trial", instance.exit)
        return True

    async def end_of(self, instance: Process) -> None:
        """Wait for a process that is going; :meth:`Process.ended` is bounded by its own deadlines."""
        try:
            async with asyncio.timeout(self._config.runtime.stop_grace_seconds):
                await instance.ended()
        except TimeoutError:
            return

    async def _malformed(self, instance: Process) -> None:
        if not instance.speaks_lines:
            self.note("malformed line", SKIPPED, f"over {instance.transport} there are no lines", 0.0)
            return

        async def write(line: bytes) -> None:
            instance.write_line(line)

        connection = instance.connection
        self._probes.append(await probes.probe("malformed line", lambda: probes.malformed_line(connection, write)))

    async def _stop(self) -> None:
        instance, self._instance = self._instance, None
        assert instance is not None  # noqa: S101 - _begin has said so
        began = time.monotonic()
        self._look(instance)
        if isinstance(instance, Remote):
            await instance.stop()
            self.note("stop", SKIPPED, "it runs elsewhere", 0.0)
            return
        ended = await instance.stop()
        seconds = time.monotonic() - began
        killed = ended.signal == 9 and not ended.oom
        self.note("stop", *_stopped(killed, seconds, self._config.runtime.stop_grace_seconds), seconds=seconds)

    async def _restart(self) -> None:
        """Start it again, see the same list, and only then show it a malformed line: many die of that.

        This time nobody watches, as later in service.
        """
        self._sandbox = self._bare
        again = msgspec.structs.replace(self._spec, known_era=self._era, known_transport=self._transport)
        began = time.monotonic()
        try:
            self._instance = instance = await self._start(again)
            offer = await instance.connection.offer(LIST_SECONDS)
        except ServerDown as error:
            self.cause = error.cause
            self.note("restart", FAIL, f"it does not start a second time: {error.message}", time.monotonic() - began)
            return
        except VsmError as error:
            self.note("restart", FAIL, f"after a restart: {error.message}", time.monotonic() - began)
            return
        verdict, detail = probes.same_offer(self._offer, offer)
        self.note("restart", verdict, detail, time.monotonic() - began)
        verdict, detail = probes.same_pinned(self._offer, offer, "after a restart")
        if verdict == WARN:
            self._findings.append(conduct.AFTER_RESTART.found("its lists", detail))
        if isinstance(instance, Process):
            await self._malformed(instance)

    def _look(self, instance: Instance) -> None:
        self._tail = instance.stderr_tail
        if isinstance(instance, Process):
            seen = instance.peak_memory()
            self._peak = max(seen or 0, self._peak or 0) or None
            self._contacts += instance.contacts


def _sooner(spec: ServerSpec) -> ServerSpec:
    return msgspec.structs.replace(spec, start_timeout=spec.start_timeout * _AGAIN)


def _observed(spec: ServerSpec) -> ServerSpec:
    """Have the contacts of a server without network seen, too: it gets none, but the record says what it wanted."""
    if spec.confinement is None or not isinstance(spec.confinement.network, NoNetwork):
        return spec
    return msgspec.structs.replace(spec, confinement=msgspec.structs.replace(spec.confinement, network=AllowList()))


def _said(instance: Instance, error: VsmError) -> Cause | None:
    """Read the cause out of a refusal ("connect ECONNREFUSED …") and the last lines that led to it, if it is there."""
    tail = instance.stderr_tail[-_RECENT_LINES:]
    contacts = instance.contacts if isinstance(instance, Process) else ()
    from vsm_mcp.runtime.cause import explain  # noqa: PLC0415 - a hundred patterns, for those that fail alone

    cause = explain(Exit(code=1), [*tail, f"Error: {error.message}"], phase="trial", contacts=contacts)
    return None if cause.code == "crashed" or instance.connection.closed.done() else cause


def _stopped(killed: bool, seconds: float, grace: float) -> Answer:
    if killed:
        return WARN, f"it had to be killed: it did not end within {grace:g} s of being asked"
    if seconds > _QUICK_STOP_SECONDS + grace / 2:
        return WARN, f"it took {seconds:.1f} s to end"
    return PASS, f"ended after {seconds:.2f} s"
