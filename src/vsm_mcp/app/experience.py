"""What becomes of servers, written down for the next choice: a subscriber of the bus, and a reader of the tallies."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.errors import InstallFailed, MissingValue, VettingRejected, VsmError
from vsm_mcp.events import (
    AcquisitionFinished,
    AcquisitionStarted,
    ActionDecided,
    Event,
    RolloutRolledBack,
    ServerCrashed,
    ServerRemoved,
    ServerRolledBack,
    StepFailed,
    StepFinished,
)
from vsm_mcp.model.action import ActionKind, Verdict
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.experience import Experience
from vsm_mcp.model.newcomer import server_of
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.routing.ledger import Account, Key, Ledger, Reader
from vsm_mcp.store.experience import Experiences
from vsm_mcp.wire.tally import Tally

_ENDS: Final[Mapping[str, Experience]] = {
    "served": Experience(cleared=1, admitted=1),
    "quarantined": Experience(objected=1, admitted=1),
    VettingRejected.code: Experience(objected=1),
    InstallFailed.code: Experience(rolled_back=1),
}
"""What the end of an admission says about a candidate, by outcome or by the code of the reason.

Other ends say nothing about it: a policy that denies, a value that is missing, a registry that does not answer.
"""
_SAID: Final[Mapping[str, Experience]] = {
    ActionKind.APPROVE.value: Experience(approved=1),
    ActionKind.DENY.value: Experience(denied=1),
}
"""What people say of a server, by the action that the policy then allowed; no agent may do either."""

_CLASSES: Final[Mapping[Ending, str]] = {
    Ending.TIMEOUT: "timed_out",
    Ending.TRANSPORT: "broken",
    Ending.TOOL_ERROR: "tool_errors",
    Ending.REFUSED: "refused",
    Ending.PROTOCOL: "garbled",
}
_NONE: Final = (0, 0, 0.0)
_PASSED: Final = Experience(trials_passed=1)
_FAILED: Final = Experience(trials_failed=1)


class Also(Protocol):
    """Whoever gathers experience of another kind: :class:`vsm_mcp.app.repute.Repute`."""

    def count(self, name: str) -> None:
        """Take in what is new of one server."""
        ...

    async def write(self) -> None:
        """Put into the store what was seen since the last time. Raises :class:`VsmError`."""
        ...


class Witness:
    """Gathers what events and tallies say, by the identity of each server's reference, and puts it into the store.

    ``tally_of`` gives the counts of a server's calls, ``ledger`` holds how they ended. What cannot be written (a full
    disk) is kept for the next time. ``also`` counts and writes at the same times.
    """

    def __init__(
        self,
        store: Experiences,
        fleet: Fleet,
        tally_of: Callable[[str], Tally],
        tasks: asyncio.TaskGroup,
        ledger: Ledger | None = None,
    ) -> None:
        self.also: list[Also] = []
        self._ledger = ledger or Ledger()
        self._calls = Reader(self._ledger)
        self._store = store
        self._fleet = fleet
        self._tally_of = tally_of
        self._tasks = tasks
        self._identities: dict[str, str] = {}  # of admissions under way
        self._trials: dict[str, Experience] = {}  # how the last trial of each went
        self._seen: dict[str, Experience] = {}
        self._counted: dict[str, tuple[int, int, float]] = {}
        self._lock = asyncio.Lock()

    def __call__(self, event: Event) -> None:
        """Take note of one event."""
        match event:
            case AcquisitionStarted(acquisition=ident, subject=subject):
                self._identities[ident] = _identity(subject)
            case StepFinished(acquisition=ident, step="trial"):
                self._trials[ident] = _PASSED
            case StepFailed(acquisition=ident, step="trial", code=code) if code != MissingValue.code:
                self._trials[ident] = _FAILED
            case AcquisitionFinished(acquisition=ident, outcome=outcome, code=code):
                seen = self._trials.pop(ident, Experience()) + _ENDS.get(outcome, _ENDS.get(code, Experience()))
                self._note(self._identities.pop(ident, ""), seen)
                self.later()
            case ActionDecided(action=action, subject=name, verdict=Verdict.ALLOW.value) if action in _SAID:
                self._note_server(name, _SAID[action])
            case ServerCrashed(server=name):
                self._note_server(name, Experience(crashed=1))
            case ServerRemoved(server=name):
                self._counted.pop(name, None)
                self._note_server(name, Experience(removed=1))
                self._forget(name)
                self.later()
            case ServerRolledBack(server=name) | RolloutRolledBack(server=name):
                self._note_server(name, Experience(reverted=1))

    def later(self) -> None:
        """Put into the store in the background what was seen since the last time."""
        self._tasks.create_task(self.close())

    async def write(self) -> None:
        """Put into the store what was seen since the last time."""
        async with self._lock:
            self._count_endings(self._calls.news())
            for name in tuple(self._fleet.servers):
                self._count_tally(name)
            seen, self._seen = self._seen, {}
            if not seen:
                return
            try:
                await self._store.add(seen, time.time())
            except BaseException:
                for identity, more in seen.items():
                    self._note(identity, more)
                raise

    async def close(self) -> None:
        """Do so, or leave it for the next time: a full disk is no reason not to go on, or not to end."""
        for write in (self.write, *(each.write for each in self.also)):
            with contextlib.suppress(VsmError):
                await write()

    def count(self, name: str) -> None:
        """Take in what the counts of a server's calls have grown by; to be done before they are forgotten."""
        self._count_endings(self._calls.news(name))
        self._count_tally(name)
        for each in self.also:
            each.count(name)

    def _count_endings(self, news: Iterable[tuple[Key, Account]]) -> None:
        """Note how calls ended, of a server and of its newcomers."""
        for (asked, _), more in news:
            grown = {field: float(more.endings[ending]) for ending, field in _CLASSES.items()}
            self._note_server(server_of(asked), Experience(**grown))

    def _count_tally(self, name: str) -> None:
        tally = self._tally_of(name)
        now = (tally.answered, tally.lost, tally.log_seconds)
        before = self._counted.get(name, _NONE)
        if now[:2] != before[:2]:
            answered, lost, log_seconds = (new - old for new, old in zip(now, before, strict=True))
            self._note_server(name, Experience(answered=answered, lost=lost, log_seconds=log_seconds))
            self._counted[name] = now

    def _forget(self, name: str) -> None:
        """Close the accounts of a server that is gone, and of its newcomers; they were counted before."""
        for asked in {asked for asked, _ in self._ledger.accounts() if server_of(asked) == name}:
            self._ledger.forget(asked)

    def _note_server(self, name: str, more: Experience) -> None:
        server = self._fleet.servers.get(name)
        if server is not None:  # one on trial is not in the catalogue yet: its trial says how it went
            self._note(server.ref.identity, more)

    def _note(self, identity: str, more: Experience) -> None:
        if identity and more != Experience():
            self._seen[identity] = self._seen.get(identity, Experience()) + more


def _identity(subject: str) -> str:
    try:
        return parse_ref(subject).identity
    except VsmError:
        return ""
