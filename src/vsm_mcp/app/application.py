"""One home, open: its parts, and the operations on them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
from collections.abc import Callable
from typing import Any, Final, Self

import msgspec

from vsm_mcp import config as configuration
from vsm_mcp.app import appraisals, declared, kits, operations, views
from vsm_mcp.app.accounting import Accounting
from vsm_mcp.app.acquiring import NOTHING_YET, Acquiring
from vsm_mcp.app.agents import AgentNeeds
from vsm_mcp.app.altering import Altering
from vsm_mcp.app.approvals import Approvals
from vsm_mcp.app.bus import Bus
from vsm_mcp.app.calling import call
from vsm_mcp.app.cleanup import Cleanup
from vsm_mcp.app.counters import Counters
from vsm_mcp.app.finding import Finder
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.in_service import InService
from vsm_mcp.app.judging import Judging
from vsm_mcp.app.keys import KeyCabinet
from vsm_mcp.app.learning import learn
from vsm_mcp.app.locking import Locker
from vsm_mcp.app.logins import Logins
from vsm_mcp.app.pinning import Pinning
from vsm_mcp.app.reloading import Reloader
from vsm_mcp.app.routing import Routing, endpoint, view
from vsm_mcp.app.running import Running
from vsm_mcp.app.storage import Storage
from vsm_mcp.app.upgrading import Upgrading
from vsm_mcp.app.wiring import Machine, open_machine
from vsm_mcp.autopilot.admission.admit import admit
from vsm_mcp.autopilot.outcome import Outcome, Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.autopilot.remove import remove
from vsm_mcp.autopilot.undo import Undo
from vsm_mcp.discovery.suiting import suits
from vsm_mcp.events import Emit, ServerRemoved, ignore
from vsm_mcp.gateway.view import View
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.newcomer import server_of
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Server
from vsm_mcp.model.wants import ANYTHING, Wants
from vsm_mcp.runtime.barred import barred
from vsm_mcp.runtime.homes import home_of
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.sandbox import folders
from vsm_mcp.store import HomeLock, Store

_WAIT_FOR_OTHERS_SECONDS: Final = 5.0


class App:
    """A home and everything that works on it. Made by :meth:`open`; an async context manager.

    Every public coroutine raises :class:`~vsm_mcp.errors.VsmError` only.
    """

    def __init__(self, config: configuration.Config, *, exclusive: bool, wait: float, actor: str) -> None:
        self.config = config
        self.bus = Bus()
        self.counters = Counters()
        self.bus.subscribe(self.counters)
        self.actor = actor
        self.started, self.address = time.time(), ""
        self.locker: Locker | None = None
        self.followers: list[Callable[[configuration.Config], None]] = []
        self.serving = False
        self._exclusive = exclusive
        self._wait = wait
        self._stack = contextlib.AsyncExitStack()

    @classmethod
    def open(cls, config: configuration.Config | None = None, *, for_operation: str = "", actor: str = "") -> App:
        """Return the app of a home, to be entered with ``async with``.

        ``for_operation`` says that only this one operation is meant, so that reading does not wait for a writer.
        """
        exclusive = for_operation in ("", "serve") or for_operation in operations.CHANGING
        wait = _WAIT_FOR_OTHERS_SECONDS if for_operation in operations.CHANGING else 0.0
        who = actor or ("cli" if for_operation else "embedded")
        return cls(config or configuration.load(), exclusive=exclusive, wait=wait, actor=who)

    async def __aenter__(self) -> Self:
        try:
            await self._enter()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    async def _enter(self) -> None:
        config, emit, enter = self.config, self.bus.emit, self._stack.enter_async_context
        await self._hold(emit)
        self.machine: Machine = await open_machine(config, self.store, enter, emit)
        self.storage = Storage(config, self.store, self.installations, self.machine.sandbox.in_use, emit)
        self.tasks = await enter(asyncio.TaskGroup())
        self.runtime = await enter(
            Runtime(config, sandbox=self.machine.sandbox, emit=emit, secrets_of=self._secrets_of)
        )
        self.accounting = Accounting(self.runtime, self.counters, self.machine.isolation, lambda: self.config)
        asks = Acquiring(self._parts, lambda: (self.finder, self.upgrading, self.gateway.view.catalogue.lookup))
        self.acquiring = asks
        needs = AgentNeeds(asks.for_agent, self.store.demand, config.policy, self.bus.listen, asks)
        self.needs = await enter(needs)
        self.gateway = endpoint(config, self.runtime, needs)
        self._stack.callback(self.gateway.close)
        self.keys = KeyCabinet(self.store.keys, self.performer, self.gateway.expel, self.actor)
        await self.keys.load()
        self.fleet = Fleet(self.store, emit, self._catalogue_changed, config.policy)
        self.routing = Routing(self.gateway, self.fleet, config, emit, self.bus.subscribe)
        held = (self.fleet, self.store)
        self.pinning = Pinning(lambda: self.config, held, lambda: self.machine.checks, emit, self.tasks)
        self.fleet.on_frozen = self.pinning.look
        self.running = Running(self.fleet, self.runtime, self.performer, self._action, self._state)
        self.logins = Logins(config, self.store.secrets, self.fleet, emit, self.running.restart)
        self.runtime.authorizer_of = self.logins.authorizer_of
        self.witness = await learn(self.store, (self.fleet, self.runtime, self.gateway), self.bus, self.tasks)
        self._stack.push_async_callback(self.witness.close)
        await self.fleet.load()
        for server in self.fleet.servers.values():
            self._supervise(server)
        self.finder = Finder(config, self.machine, self.fleet, self.store)
        self.judging = Judging(lambda: self.config, self.machine, self.fleet, self.store)
        self.cleanup = Cleanup(self.machine.sandbox, self.store, self.fleet, emit)
        self._let_change(emit)
        self.in_service = InService(self)
        if self._exclusive:
            await self.storage.opened()
            await enter(self.cleanup)

    async def _hold(self, emit: Emit) -> None:
        """Take the home, and finish or undo in it what a dead process left."""
        config = self.config
        if self._exclusive:
            lock = HomeLock(config.home)
            await lock.acquire(wait=self._wait)
            self._stack.callback(lock.release)
        self.store = await self._stack.enter_async_context(Store(config.home))
        self.installations = Installations(config.home)
        self.performer = Performer(config.policy, self.store, emit)
        if self._exclusive:
            await Undo(self.store, self.installations, emit).recover()

    def _let_change(self, emit: Emit) -> None:
        """Make the parts that change what runs while it runs, and say who answers which operation."""
        self.cleanup.also.append(self.witness.later)
        parts = (self.runtime, self.fleet, self.performer)
        self.reloader = Reloader(lambda: self.config, self.configure, parts, emit, self.actor)
        everything, kept, check = (*parts, self.store), (self.store, self.fleet), self.running.check
        self.altering = Altering(lambda: self.config, everything, self.finder, self.reloader, check, self.actor)
        held = (self.fleet, self.performer, self.store.secrets)
        self.declared = declared.Declared(lambda: self.config, held, self.add, self.remove, emit)
        self.upgrading = Upgrading(self._parts, self.fleet, self.runtime, self.finder, self.actor)
        waits = (self.pinning, self.upgrading)
        ours = (self.fleet, self.performer, self.store)
        self.approvals = Approvals(ours, waits, self._supervise, self._state, self.actor)
        self.rereading = declared.Rereading(self.reloader.reload, self.declared)
        self.locker = Locker(lambda: self.config, kept, self._admitted, emit, writes=self._exclusive)
        self._stack.push_async_callback(self.locker.close)

    def configure(self, config: configuration.Config) -> None:
        """Have other settings count from now on; see :class:`~vsm_mcp.app.reloading.Reloader` for what runs."""
        self.config = config
        self.performer.govern(config.policy)
        self.needs.govern(config.policy)
        for part in (self.machine, self.finder, self.logins, self.runtime, self.storage, self.routing):
            part.configure(config)
        self.gateway.configure(config.gateway, config.profiles)
        self.fleet.govern(config.policy)
        self.in_service.configured()
        for follow in self.followers:
            follow(config)

    # --- finding and admitting -----------------------------------------------------------------------------------

    async def search(self, need: str, limit: int = 10, wants: Wants = ANYTHING) -> dict[str, Any]:
        """Return candidates for a need, ranked. Raises :class:`NothingFound`."""
        self.needs.note(need, "person", met=False)
        return appraisals.document(need, await self.finder.find(need, Settings(), wants, self.bus.emit), limit)

    async def acquire(
        self,
        need: str,
        settings: Settings | None = None,
        *,
        name: str = "",
        yes: bool = False,
        tries: int = 3,
        wants: Wants = ANYTHING,
    ) -> Outcome:
        """Find, vet, install, try and serve the best server. Raises :class:`NothingFound`, :class:`ApprovalNeeded`."""
        self.running.check(settings := settings or Settings(), name)
        asked = Request(ref=NOTHING_YET, settings=settings, name=name, actor=self.actor, approved=yes, need=need)
        return await self.acquiring.acquire(asked, tries, wants)

    async def add(
        self,
        ref: str,
        settings: Settings | None = None,
        *,
        name: str = "",
        yes: bool = False,
        origin: str = "",
        kit: str = "",
    ) -> Outcome:
        """Fetch, vet, install, try and serve one named server; ``origin`` is the mark of the file that asks for it.

        ``kit`` is the kit that it comes with, if any. Raises :class:`BadReference`.
        """
        request = Request(
            ref=parse_ref(ref),
            settings=settings or Settings(),
            name=name,
            actor=declared.ACTOR if origin else self.actor,
            approved=yes,
            origin=origin or kits.mark(kit),
        )
        return await self._admitted(request)

    async def remove(self, name: str, actor: str = "", *, delete_home: bool = False) -> dict[str, Any]:
        """Stop a server, forget it, delete its files and secrets. Raises :class:`UnknownServer`.

        A home that was kept stays, unless it shall go, too; the answer says where, for the same package finds it again.
        """
        server = self.fleet.get(name)
        home = home_of(server, self.config)
        action = msgspec.structs.replace(self._action(ActionKind.REMOVE, server), actor=actor or self.actor)
        await self.performer.perform(action, lambda: self.take_out(name), evidence=server.acquisition)
        if delete_home:
            await asyncio.to_thread(folders.remove, home)
        return {"name": name, "removed": True, "home": str(home) if await asyncio.to_thread(home.exists) else ""}

    async def take_out(self, name: str) -> None:
        """Do so but for the home, for who has asked the policy already. Raises :class:`UnknownServer`."""
        server = self.fleet.get(name)
        self.witness.count(name)
        if not server.quarantined:
            await self.runtime.remove(name)
        await self.upgrading.forget(name)
        await remove(self.store, self.installations, self.runtime.log_path(name), server)
        self.bus.emit(ServerRemoved(server=name))
        await self.fleet.refresh(name)
        self.logins.forget(server)
        self.counters.forget(name)
        self.machine.sandbox.forget(name)

    async def approve(self, name: str) -> dict[str, Any]:
        """Let a quarantined server, changed definitions of a served one, or an upgrade by its id into service."""
        return await self.approvals.approve(name)

    # --- looking -------------------------------------------------------------------------------------------------

    async def list(self) -> dict[str, Any]:
        """Return the servers of the catalogue."""
        servers, offers = self.fleet.servers, self.fleet.offers
        rows = [views.row(each, self._state(name), offers.get(name)) for name, each in servers.items()]
        return {"servers": await self.in_service.beside(rows)}

    async def inspect(self, name: str) -> dict[str, Any]:
        """Return everything known about one server. Raises :class:`UnknownServer`."""
        server = self.fleet.get(name)
        plan = views.plan(server, self._secrets_of(name), self.config, self.machine.isolation)
        log, sandbox = str(self.runtime.log_path(name)), self.machine.sandbox
        shown = views.server(server, self.fleet.seen(name), sandbox, log, plan)
        shown |= views.tenure(self.runtime.tenure(server)) | {"changes": self.pinning.changes(name)}
        words = () if server.quarantined else self.runtime.status(name).stderr_tail
        shown |= self._state(name) | self.routing.inspected(name) | {"stderr": words}
        shown |= {} if server.quarantined else await self.accounting.closely(name)
        return {"server": (await self.in_service.beside([shown], closely=True))[0]}

    async def tools(self, query: str = "", limit: int = 200, profile: str = "") -> dict[str, Any]:
        """Return the served tools, or a profile's; with a query those that fit it, the best first.

        ``met`` says whether one of them plainly does what the query asks for. Raises :class:`UnknownProfile`.
        """
        lookup = self.view(profile).catalogue.lookup
        if query:
            found = await lookup.find(query, limit)
            self.needs.note(query, "person", met=found.met)
            return {**views.tools(found.tools), "met": found.met}
        return views.tools((card, 1.0) for card in lookup.cards(limit))

    def view(self, profile: str) -> View:
        """Return what a profile shows (``""``: everything). Raises :class:`UnknownProfile`."""
        return view(self.gateway, profile)

    async def status(self) -> dict[str, Any]:
        """Return what the servers are doing, and what each profile shows of them."""
        return {
            "daemon": self.serving,
            "pid": os.getpid() if self.serving else None,
            "address": self.address,
            "since": self.started,
            "process": self.accounting.own(),
            "servers": await self.in_service.beside(await self.accounting.all()),
            "counters": self.accounting.totals(),
            "routing": self.routing.report(),
            "mcp_servers": self.declared.report(),
            "sources": self.finder.lookout.report(),
            "profiles": [views.profile(view, self.address) for view in self.gateway.views.values()],
            "flows": self.judging.flows(self.gateway.views.values()),
        } | await self.in_service.status()

    async def doctor(self) -> dict[str, Any]:
        """Return what this machine gives, and what would improve it."""
        from vsm_mcp.app.doctor import examine  # noqa: PLC0415 - as below

        document = await examine(self.config, self.machine, self.finder.lookout)
        document["checks"] += [*await self.judging.rows(self.gateway.views.values()), *self.in_service.rows()]
        return document

    # --- calling -------------------------------------------------------------------------------------------------

    async def call(
        self, tool: str, arguments: dict[str, Any] | None = None, typed: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Call one tool by its exposed name. ``typed`` values are read by the tool's schema."""
        return await call(self.gateway, self.fleet, tool, arguments or {}, typed or {})

    async def operate(self, operation: str, body: bytes, listener: Emit = ignore) -> dict[str, Any]:
        """Run an operation of the control API; ``listener`` hears what happens in its name."""
        params = operations.read(operation, body)
        self.bus.listen(listener)
        given = {name: getattr(params, name) for name in params.__struct_fields__}
        part = self._answering.get(operation, self)
        result = await getattr(part, operation.removeprefix("key_"))(**given)
        return views.outcome(result) if isinstance(result, Outcome) else result

    # --- inside --------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _answering(self) -> dict[str, object]:
        from vsm_mcp.app.answering import answering  # noqa: PLC0415 - with what tries and vets, for who asks for something

        return answering(self, self._parts) | self.in_service.answering

    def _parts(self) -> Parts:
        return Parts(
            config=self.config,
            store=self.store,
            emit=self.bus.emit,
            performer=self.performer,
            installations=self.installations,
            installer=self.machine.installer,
            checks=self.machine.checks,
            registries=self.machine.registries,
            sandbox=self.machine.sandbox,
            fleet=self.fleet.tool_names,
            authorizer_of=self.logins.authorizer_of,
            turns=self.storage.turns,
            quota=self.storage.quota,
            collect=self.storage.activated,
            suits=suits,
        )

    async def _admitted(self, request: Request) -> Outcome:
        self.running.check(request.settings, request.name, request.ref)
        known = msgspec.structs.replace(request, known=self.finder.known(request.ref))
        return await self.upgrading.taken_in(await admit(self._parts(), known))

    def _supervise(self, server: Server) -> None:
        if not server.quarantined and server.enabled:
            self.runtime.add(server)

    def _secrets_of(self, name: str) -> dict[str, str]:
        return self.store.secrets.of(self.fleet.get(server_of(name)).acquisition)

    def _catalogue_changed(self) -> None:
        if self.locker is not None:
            self.locker.later()
        self.routing.show(self.fleet.allowed(), self.config.policy.deny_tools)

    def _action(self, kind: ActionKind, server: Server, **facts: bool) -> Action:
        return Action(kind=kind, subject=server.name, actor=self.actor, facts={"ref": str(server.ref), **facts})

    def _state(self, name: str) -> dict[str, Any]:
        server = self.fleet.get(name)
        if server.quarantined:
            return views.quarantined(name)
        status = views.state(self.runtime.status(name))
        status["reason"] = status["reason"] or barred(server, self.config.policy)
        status["tier"] = status["tier"] or str(self.machine.tier_of(server))
        return status
