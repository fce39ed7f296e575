"""What becomes of frozen items: looked at again, let in by the policy or by a person, shown as a difference."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.autopilot.verdicts import judged
from vsm_mcp.config import Config
from vsm_mcp.errors import BadArgument, VettingRejected, VsmError
from vsm_mcp.events import Emit, PinChanged, PinsApproved
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.finding import Judgement, VetReport
from vsm_mcp.policy.pins import rule, setting
from vsm_mcp.store import Store
from vsm_mcp.vetting.check import Check, Stage, Subject, run_checks
from vsm_mcp.vetting.pins import INSTRUCTIONS, digest, keyed, pins_of
from vsm_mcp.vetting.shown import changed_lines

_TEXT: Final = "tool_text"
_AT_ONCE: Final = 50


class Pinning:
    """The frozen items of a home. ``checks`` are vetting's; of them the one that reads texts is asked."""

    def __init__(
        self,
        config: Callable[[], Config],
        parts: tuple[Fleet, Store],
        checks: Callable[[], Sequence[Check]],
        emit: Emit,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._config = config
        self._fleet, self._store = parts
        self._checks = checks
        self._emit = emit
        self._tasks = tasks
        self._looking: set[str] = set()
        self._again: set[str] = set()
        self._refused: set[tuple[str, str, str]] = set()
        self._writing = asyncio.Lock()

    def look(self, name: str) -> None:
        """Have what is frozen of a server looked at, where the policy may let it in by itself; in the background."""
        self._again.add(name)
        if name not in self._looking:
            self._looking.add(name)
            self._tasks.create_task(self._settle(name))

    def changes(self, name: str) -> list[dict[str, Any]]:
        """Return what is frozen of a server, each with what it was, what it is, and the difference in lines."""
        found, items = self._fleet.differing(name), self._fleet.items(name)
        approved = self._fleet.pinned(name).approved
        before = {} if approved is None else keyed(approved)
        frozen, denied = self._fleet.frozen.get(name, ()), self._fleet.denied(name)
        return [
            change(key, before.get(key), items[key], changed=key in found.changed) | {"denied": key in denied}
            for key in frozen
            if key in items
        ]

    def chosen(self, name: str, keys: Collection[str]) -> tuple[str, ...]:
        """Return the frozen items that are meant: where none is named, all that nobody denied.

        Raises :class:`BadArgument`.
        """
        frozen = self._fleet.frozen.get(name, ())
        for key in keys:
            if key not in frozen:
                raise BadArgument(f"{name} has no frozen item {key!r}", f"frozen: {', '.join(frozen) or 'nothing'}")
        return tuple(key for key in frozen if key in keys) if keys else self.waiting(name)

    def waiting(self, name: str) -> tuple[str, ...]:
        """Return the frozen items that wait for somebody to say yes or no."""
        denied = self._fleet.denied(name)
        return tuple(key for key in self._fleet.frozen.get(name, ()) if key not in denied)

    async def deny(self, name: str, keys: Collection[str]) -> None:
        """Remember that a person said no to frozen items as they are now: they stay, and raise no alarm any more."""
        items = self._fleet.items(name)
        await self._store.servers.deny(name, {key: digest(items[key]) for key in keys if key in items})
        await self._fleet.repin(name)

    def barring(self, name: str, keys: Collection[str]) -> str:
        """Return the setting of ``[policy]`` that keeps one of these frozen items back for good; empty for none."""
        found, policy = self._fleet.differing(name), self._config().policy
        denied = (key for key in keys if rule(key, policy, changed=key in found.changed) == "deny")
        return next((setting(key, changed=key in found.changed) for key in denied), "")

    async def accept(self, name: str, keys: Collection[str]) -> tuple[str, ...]:
        """Vet frozen items again and pin them as they are now; return what vetting had to say.

        Raises :class:`VettingRejected` where it blocks one: then none is let in.
        """
        items = {key: item for key, item in self._fleet.items(name).items() if key in keys}
        verdict = await self._vetted(name, items)
        if verdict.judgement is Judgement.REJECT:
            raise VettingRejected(
                f"what changed in {name} stays frozen: {verdict.reasons[0]}",
                f"vsm-mcp rollback {name} or vsm-mcp remove {name} is the way out",
            )
        await self._pin(name, items)
        return verdict.reasons

    async def _settle(self, name: str) -> None:
        try:
            while name in self._again:
                self._again.discard(name)
                with contextlib.suppress(VsmError):  # a full disk: it stays frozen, and is looked at again
                    await self._let_in(name)
        finally:
            self._looking.discard(name)

    async def _let_in(self, name: str) -> None:
        """Pin whatever the policy lets in by itself and vetting has nothing against."""
        found, policy, waiting = self._fleet.differing(name), self._config().policy, self.waiting(name)
        items = {
            key: item
            for key, item in self._fleet.items(name).items()
            if key in waiting
            and rule(key, policy, changed=key in found.changed) == "allow"
            and (name, key, digest(item)) not in self._refused
        }
        passed: dict[str, Definition] = {}
        keys = tuple(items)
        for start in range(0, len(keys), _AT_ONCE):
            some = {key: items[key] for key in keys[start : start + _AT_ONCE]}
            passed |= await self._harmless(name, some)
            await asyncio.sleep(0)  # many resources shall not hold up the calls
        for key in items.keys() - passed.keys():
            self._refused.add((name, key, digest(items[key])))
            if key not in found.changed:  # for what changed the alarm was raised at once
                self._emit(PinChanged(server=name, item=key))
        waiting = self.waiting(name)  # somebody may have said no meanwhile
        if passed := {key: item for key, item in passed.items() if key in waiting}:
            await self._pin(name, passed)

    async def _harmless(self, name: str, items: Mapping[str, Definition]) -> dict[str, Definition]:
        """Return those of the items that vetting has nothing against."""
        if (await self._vetted(name, items)).judgement is Judgement.ADMIT:
            return dict(items)
        if len(items) == 1:
            return {}
        return {
            key: item
            for key, item in items.items()
            if (await self._vetted(name, {key: item})).judgement is Judgement.ADMIT
        }

    async def _vetted(self, name: str, items: Mapping[str, Definition]) -> VetReport:
        server, words = self._fleet.get(name), items.get(INSTRUCTIONS)
        offer = Offer(
            items=tuple(item for item in items.values() if item.kind is not ItemKind.INSTRUCTIONS),
            instructions="" if words is None else json.loads(words.raw),
        )
        subject = Subject(
            ref=server.ref,
            version=server.version,
            offer=offer,
            fleet={other: tools for other, tools in self._fleet.tool_names().items() if other != name},
        )
        checks = [check for check in self._checks() if check.name == _TEXT]
        results = await run_checks(checks, subject, Stage.AFTER_TRIAL)
        return judged(results, self._config().policy.profile)

    async def _pin(self, name: str, items: Mapping[str, Definition]) -> None:
        """Write down that the items are approved as they are, then let them be seen."""
        async with self._writing:
            if name not in self._fleet.servers:
                return
            offer = merged(self._fleet.pinned(name).approved, self._unchanged(name), items)
            await self._store.servers.approve(name, offer, pins_of(offer))
            self._fleet.forgive(name)
            await self._fleet.repin(name)
        self._emit(PinsApproved(server=name, items=tuple(items)))

    def _unchanged(self, name: str) -> Offer:
        """Return what a server offers as it was approved: all that is known where nobody wrote down what was."""
        return self._fleet.offers.get(name, Offer())


def merged(approved: Offer | None, unchanged: Offer, items: Mapping[str, Definition]) -> Offer:
    """Return what is approved once ``items`` are: they take the place of those with their keys, or come last."""
    whole = (keyed(approved) if approved is not None else keyed(unchanged)) | dict(items)
    words = whole.pop(INSTRUCTIONS, None)
    text = "" if words is None else json.loads(words.raw)
    return msgspec.structs.replace(unchanged, items=tuple(whole.values()), instructions=text, frozen=())


def change(key: str, before: Definition | None, after: Definition, *, changed: bool) -> dict[str, Any]:
    """Return one frozen item for a person: ``kind`` is ``changed`` or ``new``, ``diff`` unified and without heads."""
    kind = "changed" if changed else "new"
    return {"item": key, "kind": kind, "diff": changed_lines(before, after)}
