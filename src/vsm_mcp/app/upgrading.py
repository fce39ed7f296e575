"""Other versions of servers that are there: upgrades, the way back, what waits for a person; how they come to run."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.app.finding import Finder
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.autopilot.admission.rollback import drop, earlier, roll_back
from vsm_mcp.autopilot.admission.upgrading import ROLLING, UNVERSIONED, Upgraded, agreed, upgrade
from vsm_mcp.autopilot.outcome import Outcome, Reason, Request, outcome_of
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.undo import Undo
from vsm_mcp.errors import BadArgument, NotFound, VsmError
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.store.sagas import Saga

_REASON: Final = "another version of it takes its place"
_WORDS: Final = {"served": "upgraded"}


class Gradual(Protocol):
    """Who gives a new version its share of the calls, stage by stage. The lock of the server is held by who asks."""

    def takes(self, server: Server) -> bool:
        """Return whether a new version of a server would go by stages."""
        ...

    async def of(self, name: str) -> dict[str, Any] | None:
        """Return the rollout that a server is in, or ``None``."""
        ...

    async def begin(self, saga: Saga) -> str:
        """Begin with what lies ready; return why it goes all at once instead, empty where it does not."""
        ...

    async def give_up(self, name: str, reason: str) -> None:
        """Take a rollout back, if there is one."""
        ...

    async def forget(self, name: str) -> None:
        """The same for a server that is removed; nothing is kept of it."""
        ...


class Upgrading:
    """The versions of the servers of one home. ``parts`` makes what an admission works with."""

    def __init__(self, parts: Callable[[], Parts], fleet: Fleet, runtime: Runtime, finder: Finder, actor: str) -> None:
        self.parts = parts
        self._fleet = fleet
        self._runtime = runtime
        self._finder = finder
        self._actor = actor
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.gradual: Gradual | None = None

    def lock(self, name: str) -> asyncio.Lock:
        """Return what is held by whoever changes the version of a server."""
        return self._locks[name]

    async def upgrade(
        self,
        names: tuple[str, ...] = (),
        *,
        everything: bool = False,
        to: str = "",
        yes: bool = False,
        at_once: bool = False,
    ) -> dict[str, Any]:
        """Look for newer versions of servers, one after the other; return what became of each.

        In a daemon what is in service goes by stages, unless ``at_once``. Raises :class:`UnknownServer` and
        :class:`BadArgument`.
        """
        if not names and not everything:
            raise BadArgument("no server is named", "name one, or say --all")
        if to and (everything or len(names) != 1):
            raise BadArgument("--to is the version of one server", "name that one alone")
        chosen = tuple(self._fleet.servers) if everything else names
        for name in chosen:
            self._fleet.get(name)
        there = [name for name in chosen if name in self._fleet.servers]
        return {"upgrades": [await self._upgraded(name, to, yes=yes, at_once=at_once) for name in there]}

    async def rollback(self, name: str) -> dict[str, Any]:
        """Go back to the previous version of a server, at once; the present one is kept for the way forward.

        Raises :class:`UnknownServer`, :class:`NoEarlierVersion`, :class:`InstallFailed`, :class:`PolicyDenied` and
        :class:`ApprovalNeeded`.
        """
        async with self._locks[name]:
            server, parts = self._fleet.get(name), self.parts()
            rollout = None if self.gradual is None else await self.gradual.of(name)
            if self.gradual is not None and rollout is not None and not rollout["rival"]:
                await self.gradual.give_up(name, "somebody asked for the way back")
                return row(name, _of_rollout(rollout, server, "restored"), None, rollout["after"])
            before = await earlier(parts, name)
            facts: dict[str, str | bool | float] = {"ref": str(before.ref)}
            action = Action(kind=ActionKind.ROLLBACK, subject=name, actor=self._actor, facts=facts)
            detail = f"{server.version} -> {before.version}"
            back, given_up = lambda: roll_back(parts, name, self._actor), server.acquisition
            outcome = await parts.performer.perform(action, back, detail, given_up)
            failure = await self.changed_over(outcome.admitted) if outcome.admitted is not None else None
            word = "restored" if outcome.admitted is not None else "failed"
            reason = outcome.reason if failure is None else Reason(code=failure.code, message=failure.message)
            return {**row(name, outcome, None, server.version), "outcome": word, "reason": msgspec.to_builtins(reason)}

    async def taken_in(self, outcome: Outcome) -> Outcome:
        """Have what was admitted run, in the place of what ran under its name; if it does not come up, go back.

        Without a version to go back to it is supervised like any other, and restarted.
        """
        if outcome.admitted is None:
            return outcome
        failure = await self.changed_over(outcome.admitted)
        if failure is None:
            return outcome
        name, why = outcome.server, f"{outcome.version} did not come up in service: {failure.message}"
        try:
            back = await roll_back(self.parts(), name, self._actor, why)
        except VsmError:  # there is none, or it cannot be had
            return outcome
        if back.admitted is None:
            return outcome
        await self.changed_over(back.admitted)
        await drop(self.parts(), name)
        hint = f"it runs as before, with {back.version}; {failure.hint}"
        reason = Reason(code=failure.code, message=why, hint=hint)
        return msgspec.structs.replace(outcome, outcome="failed", reason=reason, admitted=None)

    async def waiting(self, ident: str) -> Saga | None:
        """Return the upgrade that waits under an id, or for the server of that name."""
        sagas = await self.parts().store.sagas.waiting()
        return next((saga for saga in sagas if ident in (saga.id, saga.plan.server)), None)

    async def agree(self, saga: Saga) -> dict[str, Any]:
        """Put what waits into service, in the name of a person."""
        name = saga.plan.server
        async with self._locks[name]:
            server, parts = self._fleet.get(name), self.parts()
            facts: dict[str, str | bool | float] = {"ref": saga.subject, "approved": True}
            action = Action(kind=ActionKind.APPROVE, subject=name, actor=self._actor, facts=facts)
            request = self._request(server, yes=True)
            gradual = self.gradual is not None and self.gradual.takes(server)
            put = lambda: agreed(parts, saga, request, server, gradual=gradual)  # noqa: E731
            done = await parts.performer.perform(action, put, saga.id, saga.id)
            outcome = await self.taken_in(await self._rolling(done.outcome))
            return {"upgrades": [row(name, outcome, done, server.version)]}

    async def drop(self, saga: Saga) -> dict[str, Any]:
        """Undo what waits, in the name of a person."""
        name, parts = saga.plan.server, self.parts()
        async with self._locks[name]:
            action = Action(kind=ActionKind.DENY, subject=name, actor=self._actor, facts={"ref": saga.subject})
            undo = Undo(parts.store, parts.installations, parts.emit)
            clean = await parts.performer.perform(action, lambda: undo.undo(saga.id, saga.plan), saga.id, saga.id)
            return {"name": name, "id": saga.id, "denied": "upgrade", "undone": clean}

    async def forget(self, name: str) -> None:
        """Undo whatever waits for a server that is removed."""
        parts = self.parts()
        if self.gradual is not None:
            await self.gradual.forget(name)
        for saga in await parts.store.sagas.ready():
            if saga.plan.server == name:
                await Undo(parts.store, parts.installations, parts.emit).undo(saga.id, saga.plan)

    async def take_over(self, saga: Saga) -> Outcome:
        """Put what lies ready into service for all; its server's lock is held by who asks."""
        return await self.taken_in(await self._agreed(saga))

    async def _agreed(self, saga: Saga) -> Outcome:
        server = self._fleet.get(saga.plan.server)
        return (await agreed(self.parts(), saga, self._request(server, yes=True), server)).outcome

    async def _rolling(self, outcome: Outcome) -> Outcome:
        """Have what is ready take its share; where that cannot be, put it into service at once."""
        if outcome.outcome != ROLLING or self.gradual is None:
            return outcome
        (saga,) = (each for each in await self.parts().store.sagas.ready() if each.id == outcome.evidence)
        why = await self.gradual.begin(saga)
        if not why:
            return outcome
        put = await self._agreed(saga)
        return msgspec.structs.replace(put, warnings=(*put.warnings, f"at once: {why}"))

    async def _upgraded(self, name: str, to: str, *, yes: bool, at_once: bool) -> dict[str, Any]:
        async with self._locks[name]:
            server = self._fleet.get(name)
            rollout = None if self.gradual is None else await self.gradual.of(name)
            if rollout is not None and self.gradual is not None and not rollout["rival"]:
                if not at_once and to in ("", rollout["after"]):
                    return row(name, _of_rollout(rollout, server, ROLLING), None, server.version)
                await self.gradual.give_up(name, "another upgrade takes its place")
            if server.ref.kind in UNVERSIONED:
                why = "it runs elsewhere" if server.installation.entry.remote else "it is a program of this machine"
                reason = Reason(code="unversioned", message=f"there is nothing to upgrade: {why}")
                none = Outcome(outcome="current", ref=str(server.ref), evidence="", server=name, reason=reason)
                return row(name, msgspec.structs.replace(none, version=server.version), None, server.version)
            request = self._request(server, yes=yes, to=to)
            gradual = not at_once and self.gradual is not None and self.gradual.takes(server)
            try:
                done = await upgrade(self.parts(), request, server, to, gradual=gradual)
                outcome = await self._rolling(done.outcome)
            except VsmError as error:
                return row(name, outcome_of(error, request, ""), None, server.version)
            return row(name, await self.taken_in(outcome), done, server.version)

    def _request(self, server: Server, *, yes: bool, to: str = "") -> Request:
        settings = server.settings_with(self.parts().store.secrets.of(server.acquisition))
        ref = server.ref.at(to)
        return Request(
            ref=ref,
            settings=settings,
            name=server.name,
            actor=self._actor,
            approved=yes,
            known=self._finder.known(ref),
            origin=server.origin,
        )

    async def changed_over(self, server: Server) -> VsmError | None:
        """Have a version run instead of what ran; return why it does not come up."""
        name = server.name
        supervised = any(status.name == name for status in self._runtime.statuses())
        self._fleet.forgive(name)
        await self._fleet.refresh(name)
        if server.quarantined or not server.enabled:
            if supervised:
                await self._runtime.remove(name)
            return None
        self._runtime.add(server)
        if not supervised:
            return None
        try:
            await self._runtime.change_over(name, _REASON)
        except VsmError as error:
            return error
        return None


def row(name: str, outcome: Outcome, done: Upgraded | None, before: str) -> dict[str, Any]:
    """Return what became of one server, for ``upgrade`` and ``approve``."""
    found = done.difference if done is not None else None
    return {
        "name": name,
        "outcome": _WORDS.get(outcome.outcome, outcome.outcome),
        "ref": outcome.ref,
        "version": {"from": before, "to": outcome.version or before},
        "difference": msgspec.to_builtins(found),
        "evidence": outcome.evidence,
        "tools": list(outcome.tools),
        "reason": msgspec.to_builtins(outcome.reason),
        "warnings": list(outcome.warnings),
    }


def _of_rollout(rollout: dict[str, Any], server: Server, word: str) -> Outcome:
    """Return the outcome of asking again for what is on its way, or for its end."""
    version = rollout["after"] if word == ROLLING else rollout["before"]
    reason = Reason(code=word, message=f"it takes {rollout['percent']} % of the calls") if word == ROLLING else None
    return Outcome(
        outcome=word,
        ref=str(server.ref.at(version)),
        evidence=rollout["id"],
        server=server.name,
        version=version,
        reason=reason,
    )


def unknown(ident: str) -> NotFound:
    """Return the error for an id that nothing waits under."""
    return NotFound(f"nothing waits for approval under {ident!r}", "vsm-mcp inspect NAME shows what does")
