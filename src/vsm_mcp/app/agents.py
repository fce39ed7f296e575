"""What agents need: each need is written down, and one that nothing here meets may be acquired in the agent's name."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, Final, Protocol, Self, TypeVar

import msgspec

from vsm_mcp import events
from vsm_mcp.autopilot.outcome import Outcome
from vsm_mcp.config import Policy
from vsm_mcp.discovery.screen import clean
from vsm_mcp.errors import Refused, VsmError
from vsm_mcp.events import Emit, Event
from vsm_mcp.gateway.needs import Acquired, Agreed, Consent, Tell
from vsm_mcp.matching.tokens import stems, words
from vsm_mcp.model.action import Action, ActionKind, Verdict
from vsm_mcp.policy import decide, least_of
from vsm_mcp.policy.bucket import Bucket, Rate, full, take
from vsm_mcp.store.demand import Demand

T = TypeVar("T")
ACTOR: Final = "agent"

_AT_ONCE: Final = 2
_KEPT: Final = 16
_WRITING: Final = 64
_NOTED: Final = 1024
_AGAIN_SECONDS: Final = 3600.0
_FRESH_SECONDS: Final = 600.0
_NAMED: Final = 3
_MESSAGE: Final = 400
_ATTEMPT: Final = 120
_NEED: Final = 500
_TOOL_NAME, _TOOL_WORDS = 100, 8
_MISSED: Final = Rate(per_minute=30, burst=30)

Acquire = Callable[[str], Awaitable[Outcome]]
"""Acquires a capability in the name of an agent; raises :class:`VsmError`."""


class Consents(Protocol):
    """What may be agreed to through clients, and what follows."""

    def offered(self, need: str, outcome: Outcome) -> Consent | None:
        """Return what the person at a client may be asked after an acquisition ended so; ``None`` for nothing."""
        ...

    async def agreed(self, need: str, agreed: Agreed) -> Outcome:
        """Acquire what was agreed to. Raises :class:`VsmError`."""
        ...

    async def declined(self, need: str, via: str) -> None:
        """Remember a no. Raises :class:`VsmError`."""
        ...


class AgentNeeds:
    """The :class:`~vsm_mcp.gateway.needs.Needs` of one home; an async context manager.

    At most two acquisitions run at a time; whoever asks for the same need waits for the same one. One that outlasts
    the patience of its agent goes on, and its end is kept for ten minutes for who asks again. ``listen`` lets a
    listener hear what happens in the name of the current task. Without ``consents`` nobody is asked through clients.
    """

    def __init__(
        self,
        acquire: Acquire,
        demand: Demand,
        policy: Policy,
        listen: Callable[[Emit], None],
        consents: Consents | None = None,
    ) -> None:
        self._acquire = acquire
        self._consents = consents
        self._missed: Bucket = full(_MISSED, monotonic())
        self._demand = demand
        self._listen = listen
        self.acquires = may_acquire(policy)
        self._runs: dict[str, _Run] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writes: set[asyncio.Task[Any]] = set()
        self._noted: dict[tuple[str, str, bool], float] = {}

    def govern(self, policy: Policy) -> None:
        """Have another policy decide from now on whether agents may ask for anything."""
        self.acquires = may_acquire(policy)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            if task not in self._writes:  # they are short, and what a person looked for is not to be lost
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def noticed(self, need: str, *, met: bool) -> None:
        """Write down what an agent looks for."""
        self.note(need, ACTOR, met=met)

    def missed(self, tool: str) -> None:
        """Write down the call of a tool that does not exist, as the words of its name; at most 30 a minute."""
        need = need_of_call(tool)
        if not need:
            return
        self._missed, wait = take(self._missed, _MISSED, monotonic())
        if not wait:
            self.note(need, "call", met=False)

    def declined(self, need: str, via: str) -> None:
        """See :meth:`vsm_mcp.gateway.needs.Needs.declined`."""
        if self._consents is not None:
            self._write(self._consents.declined(need, via))

    def note(self, need: str, source: str, *, met: bool) -> None:
        """Write a need down in the background: once an hour from one source, however often it is looked for."""
        need = clean(need, _NEED)
        now, key = monotonic(), (need, source, met)
        if now - self._noted.get(key, -_AGAIN_SECONDS) < _AGAIN_SECONDS or len(self._writes) >= _WRITING:
            return
        if len(self._noted) >= _NOTED:
            del self._noted[next(iter(self._noted))]
        self._noted.pop(key, None)
        self._noted[key] = now
        self._write(self._demand.record(need, source, met=met))

    async def acquire(self, need: str, tell: Tell, seconds: float, agreed: Agreed | None = None) -> Acquired | None:
        """See :meth:`vsm_mcp.gateway.needs.Needs.acquire`."""
        key = need.lower()
        run = self._runs.get(key)
        if run is None or run.is_stale() or (agreed is not None and run.ended is not None):
            if sum(not run.task.done() for run in self._runs.values()) >= _AT_ONCE:
                return Acquired(outcome="busy", message=f"{_AT_ONCE} acquisitions are under way; try again in a minute")
            self._forget_oldest()
            run = self._runs[key] = self._begun(need, agreed)
        run.tells.append(tell)
        try:
            done, _ = await asyncio.wait({run.task}, timeout=seconds)
        except asyncio.CancelledError:
            if run.tells == [tell]:
                run.task.cancel()
                self._runs.pop(key, None)
            raise
        finally:
            run.tells.remove(tell)
        if not done:
            return None
        self._runs.pop(key, None)
        return run.task.result()

    def _begun(self, need: str, agreed: Agreed | None) -> _Run:
        run = _Run()

        async def through() -> Acquired:
            self._listen(run.hear)
            try:
                outcome = await self._begin(need, agreed)
                consents = self._consents
                consent = consents.offered(need, outcome) if consents is not None and agreed is None else None
                return msgspec.structs.replace(acquired(outcome), consent=consent)
            except VsmError as error:
                return not_acquired(error)
            finally:
                run.ended = monotonic()

        run.task = self._spawn(through())
        return run

    def _begin(self, need: str, agreed: Agreed | None) -> Awaitable[Outcome]:
        if agreed is not None and self._consents is not None:
            return self._consents.agreed(need, agreed)
        return self._acquire(need)

    def _forget_oldest(self) -> None:
        """Keep room for the ends that nobody has asked for."""
        ended = [key for key, run in self._runs.items() if run.task.done()]
        for key in ended[: max(0, len(self._runs) - _KEPT + 1)]:
            del self._runs[key]

    def _write(self, writing: Awaitable[None]) -> None:
        async def work() -> None:
            with contextlib.suppress(VsmError):  # a full disk must not stop an agent from finding tools
                await writing

        task = self._spawn(work())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Run:
    """One acquisition, and who hears how far it is: those who wait for it."""

    task: asyncio.Task[Acquired]

    def __init__(self) -> None:
        self.tells: list[Tell] = []
        self.ended: float | None = None

    def hear(self, event: Event) -> None:
        line = line_of(event)
        for tell in self.tells if line else ():
            tell(line)

    def is_stale(self) -> bool:
        return self.ended is not None and monotonic() - self.ended > _FRESH_SECONDS


def may_acquire(policy: Policy) -> bool:
    """Say whether the policy leaves agents room: it does not deny outright what they ask for, whatever is found."""
    freest = msgspec.structs.replace(policy, autonomy=least_of(policy), autonomy_for={})
    return decide(Action(kind=ActionKind.ACQUIRE, subject="", actor=ACTOR), freest).verdict is not Verdict.DENY


def need_of_call(tool: str) -> str:
    """Return the words of a tool's name, which its caller made up; empty where they say nothing.

    Letters and digits alone are left of it, and not many: nothing that could speak to a model.
    """
    found = [word for word in words(tool[:_TOOL_NAME]) if not word.isdigit()][:_TOOL_WORDS]
    return " ".join(found) if stems(" ".join(found)) else ""


def acquired(outcome: Outcome) -> Acquired:
    """Return the end of an acquisition as an agent is told it."""
    return Acquired(
        outcome=outcome.outcome,
        server=outcome.server,
        ref=outcome.ref,
        message=clean(_why(outcome), _MESSAGE),
        person=_for_a_person(outcome),
        evidence=outcome.evidence,
    )


def _why(outcome: Outcome) -> str:
    if outcome.outcome != "served" and len(outcome.attempts) > 1:
        return "; ".join(f"{each.ref}: {each.message[:_ATTEMPT]}" for each in outcome.attempts)
    return outcome.reason.message if outcome.reason is not None else "; ".join(outcome.warnings)


def _for_a_person(outcome: Outcome) -> str:
    if outcome.outcome == "served":
        return ""
    if outcome.outcome == "quarantined":
        return f"look at `vsm-mcp evidence {outcome.evidence}`, then run `vsm-mcp approve {outcome.server}`"
    if outcome.reason is not None and outcome.reason.code == "approval_needed":
        return f"run `vsm-mcp add {outcome.ref} --yes` to agree to it"
    return outcome.reason.hint if outcome.reason is not None else ""


def not_acquired(error: VsmError) -> Acquired:
    """Return an error as the end of an acquisition; its hint is written for people."""
    word = "rejected" if isinstance(error, Refused) else "failed"
    return Acquired(outcome=word, message=clean(error.message, _MESSAGE), person=error.hint)


def line_of(event: Event) -> str:
    """Return one line about an event of an acquisition; empty for what an agent need not hear.

    What a server wrote may be in it: it stays one line, of some length.
    """
    return clean(_line_of(event), _MESSAGE)


def _line_of(event: Event) -> str:
    match event:
        case events.Ranked(rows=rows):
            return f"candidates: {', '.join(row[0] for row in rows[:_NAMED])}"
        case events.AcquisitionStarted(subject=subject):
            return f"trying {subject}"
        case events.StepStarted(step=step):
            return f"{step} …"
        case events.StepFinished(step=step, detail=detail):
            return f"{step}: {detail}" if detail else f"{step}: done"
        case events.RemedyApplied(remedy=remedy, reason=reason):
            return f"{reason}: again with {remedy}"
        case events.CandidateRejected(ref=ref, message=message):
            return f"{ref} is not taken: {message}"
    return ""
