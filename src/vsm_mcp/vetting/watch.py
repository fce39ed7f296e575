"""The watch of a trial: strace around the sandbox, decoys in the home, and a look at what the server says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.runtime.drain import Drain
from vsm_mcp.runtime.log import Redactor
from vsm_mcp.runtime.process import Spawner
from vsm_mcp.sandbox import tracing
from vsm_mcp.sandbox.child import Child
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.vetting.check import Rule, result, unavailable
from vsm_mcp.vetting.decoys import ENV, plant
from vsm_mcp.vetting.observer import Ground, Observer
from vsm_mcp.vetting.strace import Trace
from vsm_mcp.vetting.tap import Tap

NAME: Final = "watch"
_UNIT: Final = "system calls"
_RATE: Final = 1024 * 1024
_LAST_SECONDS: Final = 2.0
_SHOWN: Final = 5

RULES: Final = (
    Rule("watch.decoy_told", Severity.BLOCK, "sends or says what was in a decoy that was planted in its home"),
    Rule("watch.decoy_logged", Severity.REVIEW, "writes what was in a decoy to its log"),
    Rule("watch.decoy_opened", Severity.REVIEW, "opens a decoy: a private key, a cloud key, a browser's passwords"),
    Rule("watch.env_opened", Severity.NOTE, "opens the decoy `.env` of its home, as many libraries do"),
    Rule("watch.secrets_sought", Severity.REVIEW, "looks for secrets of the system or of other homes"),
    Rule("watch.wrote_outside", Severity.NOTE, "tries to write where nothing was granted"),
    Rule("watch.reached_out", Severity.NOTE, "tries to reach something over the network, or asks for its address"),
    Rule("watch.ran", Severity.NOTE, "starts other programs"),
)
_RULES: Final = {rule.id.partition(".")[2]: rule for rule in RULES}


class Watch:
    """Starts programs as ``sandbox`` does, and sees what they do; off when it cannot, and then says why.

    What it keeps is bounded: the record goes through a pipe, and one that is flooded makes the server wait.
    """

    def __init__(self, sandbox: Spawner, secrets: Iterable[str], *, strace: str | None = None) -> None:
        self._sandbox = sandbox
        self._strace = tracing.find() if strace is None else strace
        self._why_not = "" if self._strace else "strace is not installed (apt-get install strace)"
        self._decoys = plant()
        self._clean = Redactor(secrets).clean
        self._told: set[str] = set()
        self._logged: set[str] = set()
        self._observers: list[Observer] = []
        self._drains: list[Drain] = []
        self._taps: list[Tap] = []

    @property
    def on(self) -> bool:
        """Whether the next program that is started will be watched."""
        return not self._why_not

    def give_up(self, why: str) -> None:
        """Watch no more, and say why it was no use."""
        self._why_not = self._why_not or why

    async def spawn(self, command: Command, confinement: Confinement, *, name: str, unsandboxed: bool = False) -> Child:
        """Start a program and watch it. Where it cannot be watched it is started all the same."""
        if self.on:
            seen = msgspec.structs.replace(command, tracer=self._strace)
            ground = msgspec.structs.replace(confinement, planted=self._decoys.files)
            try:
                child = await self._sandbox.spawn(seen, ground, name=name, unsandboxed=unsandboxed)
            except SandboxUnavailable as error:
                self.give_up(f"it cannot be watched here: {error.message}")
            else:
                self._attend(child, Ground.of(command.argv, command.cwd, confinement))
                return child
        return await self._sandbox.spawn(command, confinement, name=name, unsandboxed=unsandboxed)

    async def finish(self) -> None:
        """Read what is left of the records; the programs are over."""
        for drain in self._drains:
            await drain.finish(_LAST_SECONDS)
        for tap in self._taps:
            tap.close()

    def behaviour(self) -> Behaviour:
        """Return what was seen, of all programs together, without secrets."""
        seen = [observer.behaviour() for observer in self._observers]
        merged = {
            field: tuple(dict.fromkeys(self._shown(what) for one in seen for what in getattr(one, field)))
            for field in Behaviour.__struct_fields__
            if field != "calls"
        }
        return Behaviour(calls=sum(one.calls for one in seen), **merged)

    def result(self) -> CheckResult:
        """Return what is to be thought of it; *unavailable* where nobody could look."""
        behaviour = self.behaviour()
        sent = {path for observer in self._observers for path in observer.sent}
        findings = findings_of(behaviour, told=self._told | sent, logged=self._logged)
        serious = any(finding.severity is not Severity.NOTE for finding in findings)
        if self._why_not and not serious:
            return unavailable(NAME, _UNIT, self._why_not)
        if not behaviour.calls and not serious:
            return unavailable(NAME, _UNIT, "nothing was seen of it")
        return result(NAME, behaviour.calls, _UNIT, findings, self._why_not)

    # --- inside --------------------------------------------------------------------------------------------------

    def _attend(self, child: Child, ground: Ground) -> None:
        if child.trace_fd < 0:
            self.give_up(f"nothing can be watched at tier {child.tier}")
            return
        observer, trace = Observer(ground, self._decoys), Trace()

        def take(data: bytes) -> None:
            for call in trace.feed(data):
                observer.take(call)

        self._observers.append(observer)
        self._drains.append(Drain(child.trace_fd, take, rate=_RATE))
        for attribute, into in (("stdout_fd", self._told), ("stderr_fd", self._logged)):
            tap = Tap(getattr(child, attribute), self._look(into))
            setattr(child, attribute, tap.out)
            self._taps.append(tap)

    def _look(self, into: set[str]) -> Callable[[bytes], None]:
        """Return what looks for the contents of decoys, also where they are cut in two."""
        kept = b""

        def look(data: bytes) -> None:
            nonlocal kept
            kept += data
            into.update(self._decoys.seen_in(kept))
            kept = kept[-self._decoys.longest :]

        return look

    def _shown(self, what: str) -> str:
        return self._clean(what.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def findings_of(behaviour: Behaviour, *, told: set[str], logged: set[str]) -> tuple[Finding, ...]:
    """Return what a behaviour amounts to; ``told`` and ``logged`` are decoys whose contents turned up. Pure."""
    opened = [path for path in behaviour.decoys if path != ENV]
    seen: tuple[tuple[str, Sequence[str], str], ...] = (
        ("decoy_told", sorted(told), "what was in it left the sandbox"),
        ("decoy_logged", sorted(logged - told), "what was in it stands in the server's log"),
        ("decoy_opened", opened, "it was opened"),
        ("env_opened", [path for path in behaviour.decoys if path == ENV], "it was opened"),
        ("secrets_sought", behaviour.sought, "it was looked for"),
        ("wrote_outside", behaviour.outside, "not granted for writing"),
        ("reached_out", (*behaviour.hosts, *behaviour.names), "it was to be reached"),
        ("ran", behaviour.commands, "it was started"),
    )
    return tuple(_RULES[name].found(_listed(places), text) for name, places, text in seen if places)


def _listed(places: Sequence[str]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return "; ".join(ascii(place)[1:-1] for place in places[:_SHOWN]) + more
