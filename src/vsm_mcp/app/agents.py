"""What agents need: each need is written down, and one that nothing here meets may be acquired in the agent's name."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, Final, Self, TypeVar

from vsm_mcp import events
from vsm_mcp.autopilot.outcome import Outcome
from vsm_mcp.config import Policy
from vsm_mcp.discovery.screen import clean
from vsm_mcp.errors import Refused, VsmError
from vsm_mcp.events import Emit, Event
from vsm_mcp.gateway.needs import Acquired, Tell
from vsm_mcp.model.action import Action, ActionKind, Verdict
from vsm_mcp.policy import decide
from vsm_mcp.store.cache import Demand

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

Acquire = Callable[[str], Awaitable[Outcome]]
"""Acquires a capability in the name of an agent; raises :class:`VsmError`."""


class AgentNeeds:
    """The :class:`~vsm_mcp.gateway.needs.Needs` of one home; an async context manager.

    At most two acquisitions run at a time; whoever asks for the same need waits for the same one. One that outlasts
    the patience of its agent goes on, and its end is kept for ten minutes for who asks again. ``listen`` lets a
    listener hear what happens in the name of the current task.
    """

    def __init__(self, acquire: Acquire, demand: Demand, policy: Policy, listen: Callable[[Emit], None]) -> None:
        self._acquire = acquire
        self._demand = demand
        self._listen = listen
        self.acquires = may_acquire(policy)
        self._runs: dict[str, _Run] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writing = 0
        self._noted: dict[tuple[str, bool], float] = {}

    def govern(self, policy: Policy) -> None:
        """Have another policy decide from now on whether agents may ask for anything."""
        self.acquires = may_acquire(policy)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def noticed(self, need: str, *, met: bool) -> None:
        """Write a need down in the background: once an hour, however often it is looked for."""
        now, key = monotonic(), (need, met)
        if now - self._noted.get(key, -_AGAIN_SECONDS) < _AGAIN_SECONDS or self._writing >= _WRITING:
            return
        if len(self._noted) >= _NOTED:
            del self._noted[next(iter(self._noted))]
        self._noted.pop(key, None)
        self._noted[key] = now
        self._writing += 1
        self._spawn(self._write(need, met=met))

    async def acquire(self, need: str, tell: Tell, seconds: float) -> Acquired | None:
        """See :meth:`vsm_mcp.gateway.needs.Needs.acquire`."""
        key = need.lower()
        run = self._runs.get(key)
        if run is None or run.is_stale():
            if sum(not run.task.done() for run in self._runs.values()) >= _AT_ONCE:
                return Acquired(outcome="busy", message=f"{_AT_ONCE} acquisitions are under way; try again in a minute")
            self._forget_oldest()
            run = self._runs[key] = self._begun(need)
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

    def _begun(self, need: str) -> _Run:
        run = _Run()

        async def through() -> Acquired:
            self._listen(run.hear)
            try:
                return acquired(await self._acquire(need))
            except VsmError as error:
                return not_acquired(error)
            finally:
                run.ended = monotonic()

        run.task = self._spawn(through())
        return run

    def _forget_oldest(self) -> None:
        """Keep room for the ends that nobody has asked for."""
        ended = [key for key, run in self._runs.items() if run.task.done()]
        for key in ended[: max(0, len(self._runs) - _KEPT + 1)]:
            del self._runs[key]

    async def _write(self, need: str, *, met: bool) -> None:
        try:
            with contextlib.suppress(VsmError):  # a full disk must not stop an agent from finding tools
                await self._demand.record(need, ACTOR, met=met)
        finally:
            self._writing -= 1

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
    return decide(Action(kind=ActionKind.ACQUIRE, subject="", actor=ACTOR), policy).verdict is not Verdict.DENY


def acquired(outcome: Outcome) -> Acquired:
    """Return the end of an acquisition as an agent is told it."""
    reason = outcome.reason
    return Acquired(
        outcome=outcome.outcome,
        server=outcome.server,
        ref=outcome.ref,
        message=clean(reason.message if reason else "; ".join(outcome.warnings), _MESSAGE),
        person=_for_a_person(outcome),
        evidence=outcome.evidence,
    )


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
